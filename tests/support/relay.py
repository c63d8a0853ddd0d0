"""A port that leads elsewhere: a proxy, or a wire that can be cut."""

import socket
import threading


class Relay:
    """`connect()` opens what a client's connection leads to. While `is_open` is false, connections end at
    once. `on_sent(bytes)` sees what clients send; where it returns True, these bytes still arrive, but nobody
    hears the answer: the connection ends in its place."""

    def __init__(self, connect):
        self.connect = connect
        self.is_open = True
        self.on_sent = lambda data: False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.is_open:
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()
            else:
                client.close()

    def _relay(self, client):
        cut = threading.Event()
        with client, self.connect() as inside:
            back = threading.Thread(target=self._carry, args=(inside, client, lambda data: cut.is_set()), daemon=True)
            back.start()

            def is_cut(data):
                if self.on_sent(data):
                    cut.set()
                return False

            self._carry(client, inside, is_cut)
            back.join()

    @staticmethod
    def _carry(source, target, ends_with):
        try:
            while data := source.recv(1 << 16):
                if ends_with(data):
                    break
                target.sendall(data)
        except OSError:
            pass
        # What ends on one side ends on both.
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
