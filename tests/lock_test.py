#!/usr/bin/env python3
"""The lock of `xray serve`, tried as people and programs do: every route by every role, signing in and out,
tokens, quotas, the audit trail, and when a server refuses to start. Needs Python's standard library alone."""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

OPTIONS = None
WORK = None
PASSWORD = "correct horse battery"
ROLES = ("reader", "reviewer", "admin")


def xray(*arguments, stdin="", check=True, env=None):
    return subprocess.run([OPTIONS.xray, *arguments], input=stdin, capture_output=True, text=True, check=check,
                          timeout=60, env={**os.environ, **(env or {})})


def add_user(store, name, role):
    xray("user", "add", name, "--role", role, "--store", store, stdin=PASSWORD + "\n")


def add_token(store, user, scopes):
    return xray("token", "create", "--user", user, "--name", "t", "--scopes", scopes, "--store", store).stdout.strip()


class Server:
    """`xray serve` with the tiny model, until the end of a `with`."""

    def __init__(self, store, *arguments, env=None):
        self.log = open(WORK / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [OPTIONS.xray, "serve", "--listen", "127.0.0.1:0", "--store", store, "--model", str(WORK / "fixtures/tiny"),
             *arguments], stdout=subprocess.PIPE, stderr=self.log, text=True, env={**os.environ, **(env or {})})
        line = self.process.stdout.readline()
        self.port = int(line.split("://127.0.0.1:")[1].split()[0]) if "://" in line else 0

    def __enter__(self):
        end = time.monotonic() + 60
        while self.ask("GET", "/readyz")[0] != 200:
            assert time.monotonic() < end, "the server does not become ready"
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=20)
        self.process.stdout.close()
        self.log.close()

    def ask(self, method, path, body=None, headers=None):
        """Status, headers (names small) and body; JSON where it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        fields = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            fields.setdefault("Content-Type", "application/json")
        connection.request(method, path, body, fields)
        answer = connection.getresponse()
        content = answer.read()
        found = {name.lower(): value for name, value in answer.getheaders()}
        connection.close()
        if "json" in found.get("content-type", "") and content:
            content = json.loads(content)
        return answer.status, found, content


class Browser:
    """Somebody who has signed in."""

    def __init__(self, server, name, password=PASSWORD):
        self.server = server
        status, headers, body = server.ask("POST", "/api/v1/session", {"name": name, "password": password})
        assert status == 204, (status, body)
        self.set_cookie = headers["set-cookie"]
        self.cookie = self.set_cookie.split(";")[0]
        session = self.ask("GET", "/api/v1/session")[2]
        self.csrf = session["csrf"]

    def ask(self, method, path, body=None, headers=None):
        fields = {"Cookie": self.cookie, **(headers or {})}
        if method not in ("GET", "HEAD") and hasattr(self, "csrf"):
            fields.setdefault("X-CSRF-Token", self.csrf)
        return self.server.ask(method, path, body, fields)


def picture():
    return next((WORK / "fixtures/labelled").rglob("*.jp*g")).read_bytes()


class LockTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.store = f"sqlite:{WORK}/lock.sqlite"
        for role in ROLES:
            add_user(cls.store, role, role)
        add_user(cls.store, "other", "reviewer")
        cls.stack = contextlib.ExitStack()
        cls.server = cls.stack.enter_context(Server(cls.store))

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def test_every_route_is_open_to_those_roles_alone_that_it_names(self):
        """What the description of the API says each operation needs is what the server asks for."""
        document = self.server.ask("GET", "/api/v1/openapi.json")[2]
        callers = {"nobody": {}}
        for role in ROLES:
            token = add_token(self.store, role, "read,diagnose,metrics,admin")
            callers[role] = {"Authorization": f"Bearer {token}"}
        browsers = {role: Browser(self.server, role) for role in ROLES}
        allowed = {"open": {"nobody", *ROLES}, "self": set(ROLES), "read": set(ROLES), "metrics": set(ROLES),
                   "diagnose": {"reviewer", "admin"}, "admin": {"admin"}}
        tried = 0
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if method not in ("get", "post", "put", "patch", "delete") or "x-permission" not in operation:
                    self.assertNotIn(method, ("get", "post", "put", "patch", "delete"), f"{method} {path} names none")
                    continue
                permission = operation["x-permission"]
                if "oidc" in path or (path == "/api/v1/session" and method == "delete"):
                    continue
                target = path.replace("{", "").replace("}", "")
                for caller, key in callers.items():
                    status = self.server.ask(method.upper(), target, None, key)[0]
                    who = f"{method} {path} by {caller}: {status}"
                    tried += 1
                    if caller in allowed[permission] and permission != "self":
                        if path != "/api/v1/session":
                            self.assertNotIn(status, (401, 403), who)
                    elif caller == "nobody":
                        self.assertEqual(status, 401, who)
                    else:
                        self.assertEqual(status, 403, who)
                for role, browser in browsers.items():
                    if "password" in path or "delete" == method:
                        continue
                    status = browser.ask(method.upper(), target)[0]
                    tried += 1
                    if role in allowed[permission]:
                        self.assertNotIn(status, (401, 403) if path != "/api/v1/session" else (), f"{method} {path} by {role}")
                    else:
                        self.assertEqual(status, 403, f"{method} {path} by {role}")
        self.assertGreater(tried, 140)

    def test_cookies_have_all_their_flags_and_change_nothing_alone(self):
        browser = Browser(self.server, "reviewer")
        for flag in ("HttpOnly", "SameSite=Strict", "Path=/"):
            self.assertIn(flag, browser.set_cookie)
        headers = {"Content-Type": "image/jpeg"}
        self.assertEqual(browser.ask("POST", "/api/v1/findings", picture(), {**headers, "X-CSRF-Token": "x"})[0], 403)
        self.assertEqual(browser.ask("POST", "/api/v1/findings", picture(), headers)[0], 201)
        self.assertEqual(self.server.ask("GET", "/api/v1/findings", None,
                                         {"Cookie": f"{browser.cookie}; {browser.cookie}"})[0], 401)
        self.assertEqual(browser.ask("GET", "/api/v1/findings", None, {"Authorization": "Bearer xray_wrong"})[0], 401)

    def test_signing_out_ends_the_session(self):
        browser = Browser(self.server, "reader")
        self.assertEqual(browser.ask("GET", "/api/v1/findings")[0], 200)
        status, headers, _ = browser.ask("DELETE", "/api/v1/session")
        self.assertEqual(status, 204)
        self.assertIn("Max-Age=0", headers["set-cookie"])
        self.assertEqual(browser.ask("GET", "/api/v1/findings")[0], 401)

    def test_wrong_names_and_passwords_are_answered_alike_and_slowed_down(self):
        def try_in(name, password, client):
            return self.server.ask("POST", "/api/v1/session", {"name": name, "password": password})
        wrong = try_in("admin", "not this one at all", 1)
        nobody = try_in("no-such-user", "not this one at all", 1)
        self.assertEqual(wrong[0], 401)
        self.assertEqual(wrong[2], nobody[2])
        for _ in range(8):
            last = try_in("no-such-user", "not this one at all", 1)
        self.assertEqual(last[0], 429)
        self.assertGreaterEqual(int(last[1]["retry-after"]), 1)
        self.assertEqual(Browser(self.server, "admin").ask("GET", "/api/v1/users")[0], 200, "others are not held up")

    def test_a_changed_password_ends_other_sessions(self):
        add_user(self.store, "changer", "reader")
        here, elsewhere = Browser(self.server, "changer"), Browser(self.server, "changer")
        change = {"old": PASSWORD, "new": "blau kahn ofen zeh"}
        self.assertEqual(here.ask("PUT", "/api/v1/session/password", {**change, "old": "wrong"})[0], 403)
        self.assertEqual(here.ask("PUT", "/api/v1/session/password", {**change, "new": "short"})[0], 400)
        self.assertEqual(here.ask("PUT", "/api/v1/session/password", change)[0], 204)
        self.assertEqual(here.ask("GET", "/api/v1/findings")[0], 200)
        self.assertEqual(elsewhere.ask("GET", "/api/v1/findings")[0], 401)
        Browser(self.server, "changer", "blau kahn ofen zeh")

    def test_reviewers_delete_their_own_findings_alone(self):
        mine, other, admin = (Browser(self.server, name) for name in ("reviewer", "other", "admin"))
        made = [mine.ask("POST", "/api/v1/findings", picture(), {"Content-Type": "image/jpeg"})[2]["id"] for _ in range(2)]
        self.assertEqual(other.ask("GET", f"/api/v1/findings/{made[0]}")[0], 200)
        self.assertEqual(other.ask("DELETE", f"/api/v1/findings/{made[0]}")[0], 403)
        self.assertEqual(mine.ask("DELETE", f"/api/v1/findings/{made[0]}")[0], 204)
        self.assertEqual(admin.ask("DELETE", f"/api/v1/findings/{made[1]}")[0], 204)
        entries = admin.ask("GET", "/api/v1/audit")[2]["entries"]
        events = {(entry["event"], entry["user"]) for entry in entries if entry["object"] in made}
        self.assertEqual(events, {("finding_made", "reviewer"), ("finding_viewed", "other"), ("refused", "other"),
                                  ("finding_deleted", "reviewer"), ("finding_deleted", "admin")})

    def test_a_new_session_ends_the_one_before(self):
        before = Browser(self.server, "reader")
        self.assertEqual(before.ask("POST", "/api/v1/session", {"name": "reader", "password": PASSWORD})[0], 204)
        self.assertEqual(before.ask("GET", "/api/v1/findings")[0], 401)

    def test_refusals_are_written_down_with_the_check_that_refused(self):
        browser = Browser(self.server, "reader")
        asked = {"csrf": browser.ask("POST", "/api/v1/tokens", {}, {"X-CSRF-Token": "x"}),
                 "role": browser.ask("GET", "/api/v1/users"),
                 "origin": browser.ask("POST", "/api/v1/tokens", {}, {"Origin": "https://evil.example"}),
                 "host": self.server.ask("GET", "/", None, {"Host": "evil.example"}),
                 "no_key": self.server.ask("GET", "/api/v1/findings"),
                 "wrong_key": self.server.ask("GET", "/api/v1/findings", None, {"Authorization": "Bearer xray_no"})}
        for check, (_, headers, _) in asked.items():
            # A request's line is written once its answer is.
            end = time.monotonic() + 10
            mine = []
            while not mine and time.monotonic() < end:
                lines = (WORK / "log").read_text(encoding="utf-8").splitlines()
                mine = [line for line in lines if headers["x-request-id"] in line and " request " in line]
            self.assertIn(f"refused_by={check}", "".join(mine))
        entries = Browser(self.server, "admin").ask("GET", "/api/v1/audit")[2]["entries"]
        found = {entry["object"]: (entry["event"], entry["user"]) for entry in entries
                 if entry["request_id"] in {headers["x-request-id"] for _, headers, _ in asked.values()}}
        self.assertEqual(found, dict.fromkeys(("csrf", "role"), ("refused", "reader")))
        self.assertIn(("sign_in", "reader", "password"),
                      {(entry["event"], entry["user"], entry["object"]) for entry in entries})

    def test_pictures_of_patients_stay_in_no_cache(self):
        browser = Browser(self.server, "reviewer")
        made = browser.ask("POST", "/api/v1/findings", picture(), {"Content-Type": "image/jpeg"})[2]["id"]
        for path in (f"/api/v1/findings/{made}", f"/api/v1/findings/{made}/image", "/api/v1/session"):
            self.assertEqual(browser.ask("GET", path)[1]["cache-control"], "no-store")

    def test_tokens_do_what_their_scopes_say_until_they_are_revoked(self):
        admin = Browser(self.server, "admin")
        status, _, made = admin.ask("POST", "/api/v1/tokens", {"name": "archive", "scopes": "read", "days": 1})
        self.assertEqual(status, 201)
        key = {"Authorization": f"Bearer {made['token']}"}
        self.assertEqual(self.server.ask("GET", "/api/v1/findings", None, key)[0], 200)
        self.assertEqual(self.server.ask("GET", "/api/v1/users", None, key)[0], 403)
        self.assertEqual(self.server.ask("POST", "/api/v1/findings", picture(), key)[0], 403)
        listed = admin.ask("GET", "/api/v1/tokens")[2]["tokens"]
        self.assertTrue(all("token" not in token for token in listed))
        self.assertEqual(admin.ask("DELETE", f"/api/v1/tokens/{made['id']}")[0], 204)
        self.assertEqual(self.server.ask("GET", "/api/v1/findings", None, key)[0], 401)
        self.assertNotIn(made["token"], "".join(map(str, (WORK / "lock.sqlite").read_bytes().split(b"\0"))))

    def test_admins_keep_accounts_and_never_lose_the_last_of_them(self):
        admin = Browser(self.server, "admin")
        new = {"name": "Newbie", "role": "reader", "password": PASSWORD}
        status, _, made = admin.ask("POST", "/api/v1/users", new)
        self.assertEqual((status, made["name"]), (201, "newbie"))
        self.assertEqual(admin.ask("POST", "/api/v1/users", new)[0], 400)
        newbie = Browser(self.server, "newbie")
        self.assertEqual(admin.ask("PATCH", f"/api/v1/users/{made['id']}", {"disabled": True})[0], 200)
        self.assertEqual(newbie.ask("GET", "/api/v1/findings")[0], 401)
        self.assertEqual(self.server.ask("POST", "/api/v1/session", {"name": "newbie", "password": PASSWORD})[0], 401)
        own = next(u["id"] for u in admin.ask("GET", "/api/v1/users")[2]["users"] if u["name"] == "admin")
        self.assertEqual(admin.ask("PATCH", f"/api/v1/users/{own}", {"role": "reader"})[0], 400)
        self.assertEqual(admin.ask("PATCH", f"/api/v1/users/{own}", {"disabled": True})[0], 400)
        status, _, why = admin.ask("PATCH", f"/api/v1/users/{own}", {"password": "blau kahn ofen zeh"})
        self.assertEqual((status, "old one" in why["detail"]), (403, True))
        Browser(self.server, "admin")
        self.assertEqual(admin.ask("PATCH", f"/api/v1/users/{made['id']}", {"password": "blau kahn ofen zeh"})[0], 200)
        # All of a change, or nothing of it.
        for wrong in ({"password": "short"}, {"disabled": "yes"}):
            self.assertEqual(admin.ask("PATCH", f"/api/v1/users/{made['id']}", {"role": "admin"} | wrong)[0], 400)
        users = admin.ask("GET", "/api/v1/users")[2]["users"]
        self.assertEqual([user["role"] for user in users if user["name"] == "newbie"], ["reader"])

    def test_logs_and_audit_hold_no_secrets(self):
        browser = Browser(self.server, "reviewer")
        self.server.ask("POST", "/api/v1/session", {"name": "hunter2 is my password", "password": "x" * 12})
        log = (WORK / "log").read_text(encoding="utf-8")
        for secret in (PASSWORD, browser.cookie.split("=")[1], browser.csrf, "hunter2"):
            self.assertNotIn(secret, log)
        self.assertIn("sign_in", log)


class QuotaTest(unittest.TestCase):
    def test_users_have_so_much_and_no_more(self):
        store = f"sqlite:{WORK}/quota.sqlite"
        add_user(store, "admin", "admin")
        with Server(store, "--user-uploads", "2", "--user-requests", "40") as server:
            browser = Browser(server, "admin")
            image = {"Content-Type": "image/jpeg"}
            statuses = [browser.ask("POST", "/api/v1/findings", picture(), image) for _ in range(3)]
            self.assertEqual([status for status, _, _ in statuses], [201, 201, 429])
            self.assertIn("retry-after", statuses[2][1])
            self.assertEqual(statuses[2][2]["code"], "over_quota")
            many = [browser.ask("GET", "/api/v1/findings")[0] for _ in range(45)]
            self.assertEqual(set(many), {200, 429})
            self.assertEqual(server.ask("GET", "/healthz")[0], 200)


class StartTest(unittest.TestCase):
    def start(self, *arguments, env=None, store="sqlite::memory:"):
        done = subprocess.run([OPTIONS.xray, "serve", "--store", store, "--model", str(WORK / "fixtures/tiny"), *arguments],
                              capture_output=True, text=True, timeout=60, env={**os.environ, **(env or {})}, check=False)
        return done.returncode, done.stderr

    def test_refuses_other_addresses_without_a_lock(self):
        code, why = self.start("--listen", "0.0.0.0:0")
        self.assertEqual(code, 2)
        self.assertIn("xray user add", why)
        for more in (("--grpc", "0.0.0.0:0"), ("--metrics", "0.0.0.0:0"), ("--trust-proxy", "private")):
            self.assertEqual(self.start("--listen", "127.0.0.1:0", *more)[0], 2, more)

    def test_refuses_passwords_in_the_clear(self):
        first = {"XRAY_ADMIN_USER": "chief", "XRAY_ADMIN_PASSWORD": PASSWORD}
        code, why = self.start("--listen", "0.0.0.0:0", env=first)
        self.assertEqual(code, 2)
        self.assertIn("--tls-cert", why)
        self.assertEqual(self.start("--listen", "127.0.0.1:0", env={**first, "XRAY_ADMIN_PASSWORD": "short"})[0], 2)

    def test_lets_everybody_in_where_it_is_told_to(self):
        with Server("sqlite::memory:", "--auth", "off", "--trust-proxy", "private") as server:
            self.assertEqual(server.ask("GET", "/api/v1/findings")[0], 200)
            self.assertEqual(server.ask("GET", "/api/v1/session")[2], {"lock": False, "sign_in": [], "user": None})

    def test_metrics_take_a_token_unless_their_address_is_for_the_scraper_alone(self):
        env = {"XRAY_ADMIN_USER": "chief", "XRAY_ADMIN_PASSWORD": PASSWORD, "XRAY_TRUST_PROXY": "loopback"}
        for more, status in (((), 403), (("--metrics-open",), 200)):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            with Server("sqlite::memory:", "--metrics", f"0.0.0.0:{port}", *more, env=env):
                try:
                    answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10)
                except urllib.error.HTTPError as refused:
                    answer = refused
                self.assertEqual(answer.status, status, more)
                answer.close()

    def test_makes_the_first_account_behind_a_proxy(self):
        secret = WORK / "secret"
        secret.write_text(PASSWORD + "\n", encoding="utf-8")
        env = {"XRAY_ADMIN_USER": "chief", "XRAY_ADMIN_PASSWORD_FILE": str(secret), "XRAY_TRUST_PROXY": "loopback"}
        with Server("sqlite::memory:", env=env) as server:
            credentials = {"name": "chief", "password": PASSWORD}
            self.assertEqual(server.ask("POST", "/api/v1/session", credentials)[0], 403, "in the clear")
            https = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
            status, headers, _ = server.ask("POST", "/api/v1/session", credentials, https)
            self.assertEqual(status, 204)
            self.assertTrue(headers["set-cookie"].startswith("__Host-xray_session="))
            self.assertIn("Secure", headers["set-cookie"])
            self.assertIn("strict-transport-security", headers)
            cookie = {"Cookie": headers["set-cookie"].split(";")[0]}
            self.assertEqual(server.ask("GET", "/api/v1/findings", None, {**cookie, **https})[0], 200)
            self.assertEqual(server.ask("GET", "/api/v1/findings", None, cookie)[0], 403)
            page = {"X-Forwarded-Proto": "http", "Accept": "text/html"}
            status, headers, _ = server.ask("GET", "/", None, {**page, "Host": "localhost"})
            self.assertEqual((status, headers["location"]), (308, "https://localhost/"))
            entries = server.ask("GET", "/api/v1/audit", None, {**cookie, **https})[2]["entries"]
            self.assertEqual({entry["client"] for entry in entries}, {"203.0.113.9"})

    def test_strangers_lock_nobody_out_of_a_place_from_which_they_signed_in(self):
        env = {"XRAY_ADMIN_USER": "chief", "XRAY_ADMIN_PASSWORD": PASSWORD, "XRAY_TRUST_PROXY": "loopback"}
        with Server("sqlite::memory:", env=env) as server:
            def try_in(name, password, client):
                https = {"X-Forwarded-Proto": "https", "X-Forwarded-For": client}
                return server.ask("POST", "/api/v1/session", {"name": name, "password": password}, https)[0]
            self.assertEqual(try_in("Chief", PASSWORD, "203.0.113.9"), 204)
            self.wait_for_the_audit_trail(server)
            guesses = [try_in("chief", "not this one at all", f"198.51.100.{i // 5}") for i in range(24)]
            self.assertIn(429, guesses)
            self.assertEqual(try_in("CHIEF", PASSWORD, "203.0.113.9"), 204)

    def wait_for_the_audit_trail(self, server):
        https = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.77"}
        cookie = server.ask("POST", "/api/v1/session", {"name": "chief", "password": PASSWORD}, https)[1]["set-cookie"]
        server.ask("GET", "/api/v1/audit", None, {"Cookie": cookie.split(";")[0], **https})

    def test_a_link_on_another_site_begins_no_sign_in_by_a_provider(self):
        env = {"XRAY_OIDC_CLIENT_SECRET": "x"}
        options = ("--oidc-issuer", "http://127.0.0.1:9", "--oidc-client-id", "xray", "--oidc-default-role", "reader")
        with Server("sqlite::memory:", *options, env=env) as server:
            for site, to in (("cross-site", "/sign-in.html"), ("same-site", "/sign-in.html"),
                             ("same-origin", "/sign-in.html?problem=provider"), ("none", "/sign-in.html?problem=provider")):
                status, headers, _ = server.ask("GET", "/api/v1/oidc/start", None, {"Sec-Fetch-Site": site})
                self.assertEqual((status, headers["location"]), (303, to), site)

    def test_refuses_tokens_in_the_clear_over_grpc(self):
        env = {"XRAY_ADMIN_USER": "chief", "XRAY_ADMIN_PASSWORD": PASSWORD, "XRAY_TRUST_PROXY": "private"}
        code, why = self.start("--listen", "127.0.0.1:0", "--grpc", "0.0.0.0:0", env=env)
        self.assertEqual(code, 2)
        self.assertIn("--grpc", why)
        for arguments in (("--grpc", "0.0.0.0:0", "--insecure-http"), ("--grpc", "127.0.0.1:0")):
            with Server("sqlite::memory:", *arguments, env=env):
                pass

    def test_the_command_line_changes_accounts_and_tells_what_was_done(self):
        store = f"sqlite:{WORK}/cli.sqlite"
        add_user(store, "boss", "admin")
        add_user(store, "joe", "reader")
        at = ("--store", store)
        self.assertEqual(xray("user", "add", "joe", *at, stdin=PASSWORD, check=False).returncode, 2)
        self.assertEqual(xray("user", "add", "weak", *at, stdin="password1234", check=False).returncode, 2)
        self.assertEqual(xray("user", "disable", "boss", *at, check=False).returncode, 2)
        self.assertEqual(xray("user", "disable", "nobody", *at, check=False).returncode, 1)
        xray("user", "role", "joe", "--role", "reviewer", *at)
        xray("user", "disable", "joe", *at)
        self.assertRegex(xray("user", "list", *at).stdout, r"joe +reviewer +\S+ +disabled")
        token = add_token(store, "boss", "metrics")
        self.assertRegex(token, r"^xray_[\w-]{43}$")
        listed = xray("token", "list", *at).stdout
        self.assertNotIn(token, listed)
        xray("token", "revoke", listed.split()[0], *at)
        self.assertEqual(xray("token", "list", *at).stdout, "")
        trail = xray("audit", *at).stdout
        for event in ("account_added", "role_changed", "account_disabled", "token_made", "token_revoked"):
            self.assertIn(event, trail)


def main():
    global OPTIONS, WORK
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--xray", required=True)
    parser.add_argument("--make-fixtures", required=True)
    OPTIONS, rest = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="xray-lock-") as work:
        WORK = pathlib.Path(work)
        subprocess.run([OPTIONS.make_fixtures, str(WORK / "fixtures")], check=True)
        program = unittest.main(argv=[sys.argv[0], *rest], exit=False)
    sys.exit(not program.result.wasSuccessful())


if __name__ == "__main__":
    main()
