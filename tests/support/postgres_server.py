"""A PostgreSQL server of the test's own (postgres.sh)."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

SCRIPT = pathlib.Path(__file__).with_name("postgres.sh")


class NotInstalled(Exception):
    pass


class PostgresServer:
    """Over a folder of its own; starts at once, may be stopped and run again."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="xray_postgres_"))
        self.folder.chmod(0o755)
        code = subprocess.run([SCRIPT, "init", self.folder]).returncode
        if code == 77:
            shutil.rmtree(self.folder)
            raise NotInstalled
        assert code == 0, "initdb failed"
        self.run()

    @property
    def url(self):
        return f"postgresql://xray@/postgres?host={self.folder}"

    def run(self, *options, port=5432):
        """`options` as those of `postgres`."""
        self.port = str(port)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([SCRIPT, "run", self.folder, "-p", self.port, *options], stdout=log, stderr=log)
        subprocess.run([SCRIPT, "wait", self.folder, self.port], check=True)

    def stop(self, how=signal.SIGQUIT):
        """SIGQUIT as in a crash, SIGINT as by its operator."""
        self.process.send_signal(how)
        self.process.wait()

    def connect(self):
        """A socket to it."""
        inside = socket.socket(socket.AF_UNIX)
        inside.connect(str(self.folder / ".s.PGSQL.5432"))
        return inside

    def sql(self, statement):
        return subprocess.run([SCRIPT, "sql", self.folder, statement], check=True, capture_output=True, text=True,
                              env={**os.environ, "PGPORT": self.port}).stdout

    def close(self):
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
