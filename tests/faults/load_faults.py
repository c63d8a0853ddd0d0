#!/usr/bin/env python3
"""The server under more load than it can bear, and told to stop in the midst of it."""

import concurrent.futures
import http.client
import signal
import socket
import statistics
import threading
import time

from xray_server import FaultTest, main, png

# Some tens of milliseconds of work each.
HEAVY = png(3_000, 2_400)
LIGHT = png(seed=1)
MAX_WAIT = 0.3


class Overload(FaultTest):
    def timed_upload(self, server, picture):
        begin = time.monotonic()
        answer = server.upload(picture)
        return answer, time.monotonic() - begin

    def capacity(self, server, seconds=2.0):
        """Uploads a second and the time of each, of as many clients as there are workers and one."""
        end = time.monotonic() + seconds

        def client(_):
            times = []
            while time.monotonic() < end:
                answer, took = self.timed_upload(server, HEAVY)
                self.assertEqual(answer.status, 201)
                times.append(took)
            return times

        with concurrent.futures.ThreadPoolExecutor() as pool:
            times = [took for some in pool.map(client, range(2)) for took in some]
        return len(times) / seconds, statistics.median(times)

    def test_four_times_the_capacity_is_served_as_far_as_it_goes(self):
        server = self.serve("--threads", "1", "--max-wait", str(int(MAX_WAIT * 1000)))
        rate, usual = self.capacity(server)
        seconds = 3.0
        offered = min(int(4 * rate * seconds), 2_000)
        with concurrent.futures.ThreadPoolExecutor(256) as pool:
            begin = time.monotonic()
            running = []
            for turn in range(offered):
                time.sleep(max(0.0, begin + turn * seconds / offered - time.monotonic()))
                running.append(pool.submit(self.timed_upload, server, HEAVY))
            answers = [future.result() for future in running]
            spent = time.monotonic() - begin
        accepted = [took for answer, took in answers if answer.status == 201]
        refused = [took for answer, took in answers if answer.status == 503]
        told = f"{rate:.0f}/s can be done, {len(accepted) / spent:.0f}/s were; accepted " \
               f"{statistics.median(accepted):.3f} s (alone {usual:.3f} s), refused {statistics.median(refused):.4f} s"
        print(told, flush=True)
        for answer, _ in answers:
            self.assertIn(answer.status, (201, 503))
            if answer.status == 503:
                self.assert_problem(answer, 503, "busy")
        self.assertGreater(len(refused), offered / 4, told)
        # How fast is for bench/compare to say; here, that refusals do not wait in the line.
        self.assertLess(statistics.median(refused), statistics.median(accepted), told)
        # And it is over when it is over.
        time.sleep(MAX_WAIT)
        self.assertEqual(server.upload(HEAVY).status, 201)

    def test_nobody_works_for_clients_that_are_gone(self):
        server = self.serve("--threads", "1", "--max-wait", "0", "--queue", "64")
        head = b"POST /api/v1/findings HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(HEAVY)
        crowd = []
        for _ in range(30):
            crowd.append(socket.create_connection(("127.0.0.1", server.port)))
            crowd[-1].sendall(head + HEAVY)
        for client in crowd:
            client.close()
        self.assertEqual(server.upload(LIGHT).status, 201)
        self.assertLess(len(server.all_ids()), 20)

    def test_hostile_uploads_leave_the_others_alone(self):
        server = self.serve("--threads", "2")
        stop = threading.Event()
        bodies = [b"", b"\xff\xd8\xff", LIGHT[:200], LIGHT[:-12], b"--x\r\n", bytes(50_000), LIGHT[:40] + LIGHT]

        def nuisance(worker):
            turn = worker
            while not stop.is_set():
                kind = "multipart/form-data; boundary=x" if turn % 3 == 0 else "image/png"
                try:
                    answer = server.request("POST", "/api/v1/findings", bodies[turn % len(bodies)], {"Content-Type": kind})
                    self.assertIn(answer.status, (201, 400, 413, 415, 422, 503))
                except (OSError, http.client.HTTPException):
                    pass
                turn += 1

        clients = [threading.Thread(target=nuisance, args=(worker,)) for worker in range(6)]
        for client in clients:
            client.start()
        good = [self.timed_upload(server, LIGHT) for _ in range(40)]
        stop.set()
        for client in clients:
            client.join()
        self.assertGreater(sum(answer.status == 201 for answer, _ in good), 30)
        self.assertEqual(server.stop(), 0)


class Stopping(FaultTest):
    def test_answers_all_it_has_accepted_before_it_ends(self):
        server = self.serve("--threads", "1", "--max-wait", "0")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            running = [pool.submit(server.upload, HEAVY) for _ in range(8)]
            self.wait_until(lambda: len(server.all_ids()) > 0)
            server.process.send_signal(signal.SIGTERM)
            answers = [future.result() for future in running]
        self.assertEqual([answer.status for answer in answers], [201] * 8)
        self.assertEqual(server.stop(), 0)
        again = self.serve()
        self.assertEqual(set(again.all_ids()), {answer.json()["id"] for answer in answers})

    def test_answers_or_refuses_while_it_stops_under_load(self):
        server = self.serve("--threads", "1")
        begun = threading.Barrier(7)
        broken = []

        def client():
            begun.wait()
            while True:
                connection = server.connect()
                try:
                    connection.connect()
                except OSError:
                    return
                try:
                    connection.request("POST", "/api/v1/findings", LIGHT)
                    if connection.getresponse().status not in (201, 503):
                        broken.append("another status")
                except (ConnectionError, http.client.RemoteDisconnected):
                    # Connected, but nobody has taken the connection before the end.
                    return
                except http.client.HTTPException as half:
                    broken.append(repr(half))
                finally:
                    connection.close()

        clients = [threading.Thread(target=client) for _ in range(6)]
        for thread in clients:
            thread.start()
        begun.wait()
        time.sleep(0.5)
        self.assertEqual(server.stop(), 0)
        for thread in clients:
            thread.join()
        self.assertEqual(broken, [])


if __name__ == "__main__":
    main()
