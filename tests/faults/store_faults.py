#!/usr/bin/env python3
"""What becomes of findings when the program is killed, the disk is full, the database is locked,
damaged or gone."""

import http.client
import os
import resource
import signal
import sqlite3
import subprocess
import threading
import time

from xray_server import FaultTest, main, png

FILMS = [png(seed=seed) for seed in range(8)]


class Killed(FaultTest):
    def test_keeps_every_acknowledged_finding_when_killed_while_writing(self):
        acknowledged = {}
        for life in range(3):
            server = self.serve()
            stop = threading.Event()

            def send(worker):
                turn = worker
                while not stop.is_set():
                    picture = FILMS[turn % len(FILMS)]
                    turn += 1
                    try:
                        answer = server.upload(picture)
                    except (OSError, http.client.HTTPException):
                        return
                    if answer.status == 201:
                        acknowledged[answer.json()["id"]] = picture

            clients = [threading.Thread(target=send, args=(worker,)) for worker in range(4)]
            for client in clients:
                client.start()
            known = len(acknowledged)
            self.wait_until(lambda: len(acknowledged) > known + 5)
            time.sleep(0.03 * (life + 1))
            server.stop(signal.SIGKILL)
            stop.set()
            for client in clients:
                client.join()

        server = self.serve()
        listed = server.all_ids()
        self.assertLessEqual(set(acknowledged), set(listed))
        for finding, picture in acknowledged.items():
            self.assert_whole(server, finding, picture)
        # What was written but not acknowledged any more is whole as well.
        for finding in set(listed) - set(acknowledged):
            self.assert_whole(server, finding)
        self.assertEqual(server.stop(), 0)
        database = sqlite3.connect(server.store)
        self.assertEqual(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        self.assertEqual(database.execute("SELECT count(*) FROM finding").fetchone(),
                         database.execute("SELECT count(*) FROM picture").fetchone())
        database.close()


class DiskFull(FaultTest):
    def uploads_until_full(self, server):
        kept = {}
        for turn in range(500):
            picture = FILMS[turn % len(FILMS)]
            answer = server.upload(picture)
            if answer.status != 201:
                self.assert_problem(answer, 507, "io")
                self.assertIn("disk is full", answer.json()["detail"])
                return kept
            kept[answer.json()["id"]] = picture
        self.fail("the disk was never full")

    def lives_through_it(self, server, kept):
        """With no room left: reads go on, and nothing is lost or half there."""
        self.assertGreater(len(kept), 1)
        self.assertEqual(server.get("/readyz").status, 200)
        self.assertEqual(set(server.all_ids()), set(kept))
        for finding, picture in kept.items():
            self.assert_whole(server, finding, picture)
        self.assertIn(server.request("DELETE", f"/api/v1/findings/{next(iter(kept))}").status, (204, 507))

    def recovers(self, server, kept):
        answer = server.upload(FILMS[0])
        self.assertEqual(answer.status, 201, answer.body)
        self.assert_whole(server, answer.json()["id"], FILMS[0])
        self.assertEqual(server.stop(), 0)
        again = self.serve(store=server.store)
        self.assertLessEqual(set(list(kept)[1:]), set(again.all_ids()))
        again.stop()

    def test_a_full_disk_is_told_and_survived(self):
        disk = self.folder / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "xray_faults", str(disk)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
            self.skipTest("a small file system cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(disk)])
        filler = disk / "filler"
        filler.write_bytes(bytes(4 << 20))
        server = self.serve(store=disk / "findings.sqlite")
        kept = self.uploads_until_full(server)
        self.lives_through_it(server, kept)
        filler.unlink()
        self.recovers(server, kept)

    def test_a_limit_on_the_size_of_files_is_told_and_survived(self):
        server = self.serve()
        for _ in range(3):
            self.assertEqual(server.upload(FILMS[0]).status, 201)
        first = {finding: FILMS[0] for finding in server.all_ids()}
        largest = max(path.stat().st_size for path in self.folder.glob("findings.sqlite*"))
        unlimited = resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (largest + 100_000, -1))
        kept = first | self.uploads_until_full(server)
        self.lives_through_it(server, kept)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, unlimited)
        self.recovers(server, kept)


class Locked(FaultTest):
    def test_a_lock_is_waited_for_then_told_and_nothing_is_lost(self):
        server = self.serve()
        before = server.upload(FILMS[0]).json()["id"]
        other = sqlite3.connect(server.store, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN EXCLUSIVE")
        begin = time.monotonic()
        answers = []
        clients = [threading.Thread(target=lambda: answers.append(server.upload(FILMS[1]))) for _ in range(6)]
        for client in clients:
            client.start()
        # Readers wait for nobody.
        self.assert_whole(server, before, FILMS[0])
        self.assertLess(time.monotonic() - begin, 4)
        for client in clients:
            client.join()
        self.assertLess(time.monotonic() - begin, 25)
        for answer in answers:
            self.assert_problem(answer, 503, "busy")
        other.execute("ROLLBACK")
        after = server.upload(FILMS[2]).json()["id"]
        self.assertEqual(set(server.all_ids()), {before, after})

    def test_a_short_lock_is_not_noticed(self):
        server = self.serve()
        other = sqlite3.connect(server.store, isolation_level=None, check_same_thread=False)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.5, other.execute, ["ROLLBACK"]).start()
        self.assertEqual(server.upload(FILMS[0]).status, 201)


class Gone(FaultTest):
    def test_acknowledges_nothing_into_a_deleted_file(self):
        server = self.serve()
        self.assertEqual(server.upload(FILMS[0]).status, 201)
        for path in self.folder.glob("findings.sqlite*"):
            path.unlink()
        self.assert_problem(server.upload(FILMS[1]), 500, "storage")
        self.assert_problem(server.get("/readyz"), 503, "storage")
        self.assertEqual(server.get("/readyz").json()["detail"], "the database does not work; the log tells more")
        self.assertEqual(server.get("/healthz").status, 200)
        self.assertIn("removed or replaced", server.log.read_text())
        self.assertEqual(server.stop(), 0)
        # A restart begins anew.
        self.assertEqual(self.serve().upload(FILMS[1]).status, 201)

    def test_says_why_it_does_not_start(self):
        code, said = self.refuses_to_start(store=self.folder / "no" / "such" / "folder" / "f.sqlite")
        self.assertEqual(code, 1)
        self.assertIn("f.sqlite", said)
        (self.folder / "letter").write_text("Dear colleague, " * 1000)
        code, said = self.refuses_to_start(store=self.folder / "letter")
        self.assertEqual(code, 1)
        self.assertIn("not a database of xray", said)
        foreign = sqlite3.connect(self.folder / "foreign.sqlite")
        foreign.execute("CREATE TABLE finding (id)")
        foreign.commit()
        foreign.close()
        code, said = self.refuses_to_start(store=self.folder / "foreign.sqlite")
        self.assertEqual(code, 1)
        self.assertIn("not a database of xray", said)

    def filled(self):
        server = self.serve()
        for picture in FILMS:
            server.upload(picture)
        self.assertEqual(server.stop(), 0)
        return server.store

    def test_says_that_a_truncated_database_is_damaged(self):
        store = self.filled()
        os.truncate(store, store.stat().st_size // 2)
        code, said = self.refuses_to_start()
        self.assertEqual(code, 1)
        self.assertIn("damaged", said)

    def test_lives_with_damage_in_the_middle(self):
        store = self.filled()
        with store.open("r+b") as file:
            file.seek(store.stat().st_size // 2)
            file.write(os.urandom(1) * 60_000)
        server = self.serve()
        self.assertIn(server.get("/api/v1/findings").status, (200, 500))
        statuses = {server.get(f"/api/v1/findings/{finding}/image").status for finding in ids_of(store)}
        self.assertLessEqual(statuses, {200, 404, 500})
        self.assertEqual(server.get("/healthz").status, 200)
        self.assertEqual(server.stop(), 0)


def ids_of(store):
    database = sqlite3.connect(store)
    try:
        return [row[0] for row in database.execute("SELECT id FROM finding")]
    except sqlite3.DatabaseError:
        return []
    finally:
        database.close()


if __name__ == "__main__":
    main()
