#!/usr/bin/env python3
"""Several servers over one PostgreSQL, and what becomes of findings when it goes away and returns."""

import http.client
import itertools
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

from xray_server import Answer, FaultTest, Server, main, png

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from postgres_server import NotInstalled, PostgresServer  # noqa: E402
from relay import Relay  # noqa: E402

FILMS = [png(seed=seed) for seed in range(8)]


def request(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": "image/png"} if body else {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


class PostgresTest(FaultTest):
    def setUp(self):
        super().setUp()
        try:
            self.postgres = PostgresServer()
        except NotInstalled:
            self.skipTest("PostgreSQL is not installed (scripts/setup test)")
        self.addCleanup(self.postgres.close)

    def door(self):
        """The way to the database, which can be shut, and its URL."""
        door = Relay(self.postgres.connect)
        self.addCleanup(door.close)
        return door, f"postgresql://xray:secret@127.0.0.1:{door.port}/postgres?sslmode=disable"

    def assert_away(self, server):
        answer = server.upload(FILMS[0])
        self.assert_problem(answer, 503, "busy")
        self.assert_problem(server.get("/api/v1/findings"), 503, "busy")
        ready = server.get("/readyz")
        self.assert_problem(ready, 503, "busy")
        self.assertIn("database", ready.json()["detail"])
        self.assertEqual(server.get("/healthz").status, 200)

    def wait_until_ready(self, server):
        self.wait_until(lambda: server.get("/readyz").status == 200)


class Replicas(PostgresTest):
    def test_see_one_anothers_findings(self):
        # At the same moment, over an empty database.
        servers = []
        lock = threading.Lock()

        def start(number):
            folder = self.folder / str(number)
            folder.mkdir()
            server = Server(folder, store=self.postgres.url)
            with lock:
                servers.append(server)

        starts = [threading.Thread(target=start, args=(number,)) for number in range(3)]
        for thread in starts:
            thread.start()
        for thread in starts:
            thread.join()
        for server in servers:
            self.addCleanup(server.stop, signal.SIGKILL)
            self.assertIsNotNone(server.port, server.log.read_text())
        for server in servers:
            self.wait_until_ready(server)

        # Each connection goes to the next server.
        ports = itertools.cycle([server.port for server in servers])
        proxy = Relay(lambda: socket.create_connection(("127.0.0.1", next(ports))))
        self.addCleanup(proxy.close)
        kept = []
        for turn in range(9):
            answer = request(proxy.port, "POST", "/api/v1/findings", FILMS[turn % len(FILMS)])
            self.assertEqual(answer.status, 201, answer.body)
            kept.insert(0, answer.json()["id"])
        for server in servers:
            self.assertEqual(set(server.all_ids()), set(kept))
            for finding in kept:
                self.assertEqual(server.get(f"/api/v1/findings/{finding}/image").status, 200)
        for finding in kept[:4]:
            self.assertEqual(request(proxy.port, "DELETE", f"/api/v1/findings/{finding}").status, 204)
            for server in servers:
                self.assertEqual(server.get(f"/api/v1/findings/{finding}").status, 404)
        # One goes; nothing is missed.
        self.assertEqual(servers[0].stop(), 0)
        self.assertEqual(set(servers[1].all_ids()), set(kept[4:]))


class GoesAway(PostgresTest):
    def test_loses_nothing_acknowledged_and_comes_back_by_itself(self):
        server = self.serve(store=self.postgres.url)
        acknowledged, statuses, stop = set(), set(), threading.Event()

        def send(worker):
            turn = worker
            while not stop.is_set():
                answer = server.upload(FILMS[turn % len(FILMS)])
                turn += 1
                statuses.add(answer.status)
                if answer.status == 201:
                    acknowledged.add(answer.json()["id"])
                else:
                    self.assert_problem(answer, 503, "busy")
                    time.sleep(0.02)

        clients = [threading.Thread(target=send, args=(worker,)) for worker in range(4)]
        for client in clients:
            client.start()
        for how in (signal.SIGQUIT, signal.SIGINT, signal.SIGQUIT):
            known = len(acknowledged)
            self.wait_until(lambda: len(acknowledged) > known + 20)
            self.postgres.stop(how)
            self.wait_until(lambda: server.get("/readyz").status == 503)
            self.assert_away(server)
            self.postgres.run()
            self.wait_until_ready(server)
        stop.set()
        for client in clients:
            client.join()
        self.assertEqual(statuses, {201, 503})
        self.wait_until_ready(server)
        # All that was acknowledged, and nothing of which the opposite was said.
        self.assertEqual(set(server.all_ids()), acknowledged)
        self.assertEqual(int(self.postgres.sql("SELECT count(*) FROM picture")), len(acknowledged))
        log = server.log.read_text()
        self.assertIn("cannot be reached", log)
        self.assertIn("is back", log)

    def cut_at_commit(self, door, on_cut):
        """The next COMMIT reaches the database; its answer does not come back."""
        cut = threading.Event()

        def on_sent(data):
            if b"COMMIT" not in data or cut.is_set():
                return False
            cut.set()
            on_cut()
            return True

        door.on_sent = on_sent
        return cut

    def test_a_commit_without_an_answer_is_kept_once(self):
        door, url = self.door()
        server = self.serve(store=url)
        cut = self.cut_at_commit(door, lambda: None)
        answer = server.upload(FILMS[0])
        self.assertTrue(cut.is_set())
        self.assertEqual(answer.status, 201, answer.body)
        self.assertEqual(server.all_ids(), [answer.json()["id"]])
        self.assertEqual(self.postgres.sql("SELECT count(*) FROM finding").strip(), "1")

    def test_a_commit_that_stays_unknown_is_refused_and_undone(self):
        door, url = self.door()
        server = self.serve(store=url)

        def shut():
            door.is_open = False

        self.cut_at_commit(door, shut)
        begin = time.monotonic()
        self.assert_problem(server.upload(FILMS[0]), 503, "busy")
        self.assertLess(time.monotonic() - begin, 15)
        # It is there: nobody could know.
        self.assertEqual(self.postgres.sql("SELECT count(*) FROM finding").strip(), "1")
        self.assert_away(server)
        door.is_open = True
        answers = []

        def is_kept():
            answers.append(server.upload(FILMS[0]))
            return answers[-1].status == 201

        self.wait_until(is_kept)
        self.assertEqual(server.all_ids(), [answers[-1].json()["id"]])

    def test_a_database_that_hangs_is_given_up(self):
        door, url = self.door()
        server = self.serve(store=url)
        self.assertEqual(server.upload(FILMS[0]).status, 201)
        goes_on = threading.Event()
        self.addCleanup(goes_on.set)
        door.on_sent = lambda data: not goes_on.wait(60)
        begin = time.monotonic()
        self.assert_problem(server.upload(FILMS[1]), 503, "busy")
        self.assertLess(time.monotonic() - begin, 16)
        # By now it is known; connecting, too, is given up.
        begin = time.monotonic()
        self.assert_problem(server.get("/readyz"), 503, "busy")
        self.assertLess(time.monotonic() - begin, 5)
        goes_on.set()
        self.wait_until_ready(server)
        self.assertEqual(len(server.all_ids()), 1)

    def test_tells_no_password(self):
        door, url = self.door()
        server = self.serve(store=url)
        door.is_open = False
        self.postgres.stop()
        self.assert_away(server)
        self.assertNotIn("secret", server.log.read_text() + server.first_line)
        server.stop()
        code, said = self.refuses_to_start("--store-wait", "0", store=url)
        self.assertEqual(code, 1)
        self.assertIn("cannot be reached", said)
        self.assertNotIn("secret", said)

    def test_waits_for_a_database_that_starts_later(self):
        door, url = self.door()
        door.is_open = False
        later = threading.Timer(1.5, lambda: setattr(door, "is_open", True))
        later.start()
        self.addCleanup(later.join)
        server = self.serve(store=url)
        self.assertEqual(server.upload(FILMS[0]).status, 201)
        self.assertIn("waiting for it", server.log.read_text())
        self.assertNotIn("secret", server.log.read_text())

    def test_stops_while_it_waits(self):
        door, url = self.door()
        door.is_open = False
        log = self.folder / "waiting"
        with log.open("wb") as out:
            waiting = subprocess.Popen([os.environ["XRAY"], "serve", "--listen", "127.0.0.1:0", "--store", url],
                                       stdout=out, stderr=out)
        self.addCleanup(waiting.kill)
        self.wait_until(lambda: "waiting for it" in log.read_text())
        waiting.terminate()
        self.assertEqual(waiting.wait(5), 1)
        self.assertIn("told to stop", log.read_text())

    def test_refuses_a_schema_newer_than_the_program_and_what_is_not_its_own(self):
        self.postgres.sql("CREATE TABLE theirs (x BIGINT)")
        code, said = self.refuses_to_start(store=self.postgres.url)
        self.assertEqual((code, "another program" in said), (1, True), said)
        self.postgres.sql("DROP TABLE theirs")
        self.assertEqual(self.serve(store=self.postgres.url).stop(), 0)
        self.postgres.sql("UPDATE xray_schema SET version = 999")
        code, said = self.refuses_to_start(store=self.postgres.url)
        self.assertEqual((code, "newer xray" in said), (1, True), said)


class Tls(PostgresTest):
    """PGSSLMODE and its like are libpq's; here is that they come to hold."""

    def setUp(self):
        super().setUp()
        self.postgres.stop()
        for name in ("ours", "theirs"):
            self.make_authority(name)
        self.folder.chmod(0o755)
        key, certificate = self.postgres.folder / "server.key", self.postgres.folder / "server.crt"
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", key, "-out",
                     self.folder / "request")
        names = self.folder / "names"
        names.write_text("subjectAltName=DNS:localhost")
        self.openssl("x509", "-req", "-in", self.folder / "request", "-CA", self.folder / "ours.crt", "-CAkey",
                     self.folder / "ours.key", "-days", "2", "-extfile", names, "-out", certificate)
        key.chmod(0o600)
        owner = self.postgres.folder.stat()
        os.chown(key, owner.st_uid, owner.st_gid)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.postgres.run("-c", "listen_addresses=127.0.0.1", "-c", "ssl=on", "-c", f"ssl_cert_file={certificate}",
                          "-c", f"ssl_key_file={key}", port=self.port)

    def openssl(self, *words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)

    def make_authority(self, name):
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout",
                     self.folder / f"{name}.key", "-out", self.folder / f"{name}.crt")

    def url(self, host, authority):
        return (f"postgresql://xray@{host}:{self.port}/postgres?sslmode=verify-full"
                f"&sslrootcert={self.folder / authority}.crt")

    def test_holds_whatever_is_said_to_the_database(self):
        server = self.serve(store=self.url("localhost", "ours"))
        self.assertEqual(server.upload(FILMS[0]).status, 201)
        lines = self.postgres.sql("SELECT DISTINCT s.ssl, s.version FROM pg_stat_ssl s JOIN pg_stat_activity a "
                                  "USING (pid) WHERE a.client_addr IS NOT NULL")
        self.assertEqual(lines.split(), ["t|TLSv1.3"])

    def test_refuses_a_server_of_another_authority_or_name(self):
        for host, authority, why in (("localhost", "theirs", "certificate verify failed"),
                                     ("127.0.0.1", "ours", "does not match host name")):
            code, said = self.refuses_to_start("--store-wait", "0", store=self.url(host, authority))
            self.assertEqual(code, 1)
            self.assertIn(why, said)


if __name__ == "__main__":
    main()
