#!/usr/bin/env python3
"""Holds deploy/ to what it promises, as far as this side of a cloud goes.

usage: deploy_test.py --xray PROGRAM --build BUILD_FOLDER --deps .deps [--rootfs rootfs.tar] [unittest's arguments]
Without --rootfs the installed tree runs on this machine's own root file system, read-only.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile

import sandbox
import tutorials

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PICTURE = (ROOT / "examples/phantom.png").read_bytes()
MB = 1 << 20
OPTIONS = argparse.Namespace()


def run(*command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, cwd=ROOT, **more)


def yaml_of(name):
    import yaml
    return list(yaml.safe_load_all((ROOT / name).read_text()))


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def check(self, *command, **more):
        done = run(*command, **more)
        self.assertEqual(done.returncode, 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
        return done.stdout


class BillOfMaterials(Case):
    def setUp(self):
        super().setUp()
        self.build = self.folder / "build.json"
        self.check(ROOT / "deploy/make-sbom", "build", "--deps", OPTIONS.deps, "--out", self.build)

    def assert_valid(self, path):
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
        wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(path.read_text())
        self.assertTrue(wrong is None, str(wrong)[-300:])

    def test_names_what_is_compiled_in(self):
        self.assert_valid(self.build)
        names = {part["name"] for part in json.loads(self.build.read_text())["components"]}
        self.assertLessEqual({"openvino", "libprotobuf-dev", "libgrpc++-dev", "@observablehq/plot", "d3-scale", "pediatric"},
                             names)
        self.assertNotIn("vite", names, "builds the page and is not in it")

    def test_of_an_image_names_debian_packages_and_every_licence(self):
        outputs = []
        for name in ("a", "b"):
            bill, licences = self.folder / f"{name}.json", self.folder / f"{name}.txt"
            self.check(ROOT / "deploy/make-sbom", "image", "--build", self.build, "--root", "/", "--out", bill,
                       "--licences", licences)
            outputs.append((bill.read_bytes(), licences.read_bytes()))
        self.assertEqual(*outputs, "the same input gives the same bytes")
        self.assert_valid(bill)
        parts = json.loads(bill.read_text())["components"]
        self.assertIn("libc6", {part["name"] for part in parts})
        self.assertEqual([part["name"] for part in parts if not part.get("licenses")], [])

    def test_fails_where_there_is_no_root(self):
        done = run(ROOT / "deploy/make-sbom", "image", "--build", self.build, "--root", self.folder, "--out",
                   self.folder / "x", "--licences", self.folder / "y")
        self.assertNotEqual(done.returncode, 0)
        self.assertFalse((self.folder / "x").exists())


class Manifests(Case):
    def test_kubernetes_takes_them(self):
        import kubernetes_validate
        listed = yaml_of("deploy/kubernetes/kustomization.yaml")[0]["resources"]
        for name in [*listed, "secret.yaml"]:
            for manifest in yaml_of(f"deploy/kubernetes/{name}"):
                for version in ("1.31", "1.36"):
                    kubernetes_validate.validate(manifest, version, strict=True)

    def test_a_misspelt_field_is_found(self):
        import kubernetes_validate
        manifest = yaml_of("deploy/kubernetes/deployment.yaml")[0]
        manifest["spec"]["replica"] = 2
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(manifest, "1.31", strict=True)

    def test_scaling_asks_for_a_metric_that_is_made_of_ours(self):
        wanted = yaml_of("deploy/kubernetes/autoscaler.yaml")[0]["spec"]["metrics"][0]["pods"]["metric"]["name"]
        rule = yaml_of("deploy/kubernetes/prometheus-adapter.yaml")[0]["rules"]["custom"][0]
        self.assertEqual(rule["name"]["as"], wanted)
        series = set(re.findall(r"xray_\w+(?=\{)", rule["metricsQuery"]))
        self.assertEqual(series, {"xray_queue_waiting", "xray_queue_running"})

    def test_every_variable_is_an_option(self):
        known = set(re.findall(r"Env:(XRAY_\w+)", self.check(OPTIONS.xray, "serve", "--help")))
        known |= {"XRAY_CACHE", "XRAY_ADMIN_USER", "XRAY_ADMIN_PASSWORD"}
        files = ["Dockerfile", "app.json", *(path.relative_to(ROOT) for path in (ROOT / "deploy").rglob("*")
                                             if path.is_file() and "__pycache__" not in str(path))]
        for name in files:
            named = set(re.findall(r"(?<![$/\w])XRAY_[A-Z_]+(?=[=:,\"'} ])", (ROOT / name).read_text()))
            self.assertEqual(named - known, set(), name)

    def test_cloudformation_is_without_a_finding(self):
        self.check(sys.executable, OPTIONS.deps / "deploy/bin/cfn-lint", "-t", "deploy/aws/cloudformation.yaml",
                   env={**os.environ, "PYTHONPATH": str(OPTIONS.deps / "deploy")})

    def test_systemd_takes_the_unit(self):
        if run("which", "systemd-analyze").returncode != 0:
            self.skipTest("systemd-analyze is missing")
        text = (ROOT / "deploy/systemd/xray.service").read_text()
        unit = self.folder / "xray.service"
        unit.write_text(text.replace("/usr/bin/xray", str(OPTIONS.xray.resolve())))
        self.check("systemd-analyze", "verify", "--man=no", unit)
        # 0 is a jail, 100 an open door.
        self.check("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)

    def test_the_package_starts_nothing(self):
        for script in ("postinst", "prerm", "postrm"):
            self.check("sh", "-n", ROOT / "deploy/debian" / script)
        postinst = (ROOT / "deploy/debian/postinst").read_text()
        self.assertIsNone(re.search(r"systemctl (enable|start|restart)", postinst))


class Bundle(Case):
    def test_holds_all_that_its_dockerfile_copies(self):
        package, bill = self.folder / "x.deb", self.folder / "b.json"
        package.write_bytes(b"a package")
        bill.write_text("{}")
        outs = [self.folder / "1.zip", self.folder / "2.zip"]
        for out in outs:
            self.check(ROOT / "deploy/beanstalk/bundle", package, bill, out)
        self.assertEqual(outs[0].read_bytes(), outs[1].read_bytes())
        with zipfile.ZipFile(outs[0]) as bundle:
            names = set(bundle.namelist())
            dockerfile = bundle.read("Dockerfile").decode()
        self.assertIn("FROM file AS package\n", dockerfile)
        self.assertIn(".platform/nginx/conf.d/xray.conf", names)
        # The stage that compiles is not built.
        used = dockerfile.split("AS file", 1)[1]
        for source in re.findall(r"^COPY (?!--from)(\S+) ", used, re.MULTILINE):
            self.assertTrue(source == "." or any(name.startswith(source) for name in names), source)
        # What make-sbom reads of its sources there.
        self.assertLessEqual({"CMakeLists.txt", "LICENSE", "deploy/make-sbom"}, names)


@unittest.skipIf(sandbox.why_not(), f"no isolation: {sandbox.why_not()}")
class Isolated(Case):
    """As a container: read-only root, a user without rights, no capabilities, 512 MB."""

    @classmethod
    def setUpClass(cls):
        cls.kept = tempfile.TemporaryDirectory()
        tree = pathlib.Path(cls.kept.name)
        tree.chmod(0o755)
        if OPTIONS.rootfs:
            subprocess.run(["tar", "-xpf", OPTIONS.rootfs, "-C", tree, "--exclude=./dev/*"], check=True)
            cls.how = {"root": tree}
        else:
            subprocess.run(["cmake", "--install", OPTIONS.build, "--prefix", tree], check=True, stdout=subprocess.DEVNULL)
            cls.how = {"tree": tree, "xray": "/mnt/bin/xray"}

    @classmethod
    def tearDownClass(cls):
        cls.kept.cleanup()

    def server(self, environment, user=10001, data=True):
        folder = ""
        if data:
            folder = self.folder / "data"
            folder.mkdir(exist_ok=True)
            os.chown(folder, user, user)
            self.folder.chmod(0o755)
        # Loopback, so that none but this machine reaches the test.
        return sandbox.Server(environment={"XRAY_LISTEN": "127.0.0.1", **environment}, data=folder, user=user, **self.how)

    def dyno(self):
        lines = (ROOT / "deploy/heroku.env").read_text().split()
        return {**dict(line.split("=", 1) for line in lines), "XRAY_ADMIN_PASSWORD": "quiet-lungs-and-a-long-word"}

    def test_a_dyno_reads_films_in_512_mb_and_ends_when_told(self):
        with self.server(self.dyno()) as server:
            self.assertEqual(server.status("CapEff"), "0000000000000000")
            self.assertEqual(server.status("NoNewPrivs"), "1")
            self.assertEqual(server.status("Uid").split()[0], "10001")
            self.assertEqual(server.upload(PICTURE)[0], 403, "what came in the clear is turned away")
            self.assertEqual(server.ask("GET", "/api/v1/findings", headers={"X-Forwarded-Proto": "https"})[0], 401)
            server.let_in("admin")
            at_rest = server.resident()
            for _ in range(50):
                status, finding = server.upload(PICTURE)
                self.assertEqual(status, 201, finding)
            self.assertEqual(server.ask("GET", f"/api/v1/findings/{finding['id']}/image")[0], 200)
            after, peak = server.resident(), server.memory.peak()
            health = server.run(server.xray, "health")
            self.assertEqual(health.returncode, 0, health.stderr)
            seconds, code = server.stop()
            self.assertEqual(code, 0, server.said())
        print(f"ready after {server.seconds_to_ready:.2f} s; resident {at_rest // MB} MB at rest, {after // MB} MB "
              f"after 50 uploads, group's peak {peak // MB} MB; ended after {seconds:.2f} s")
        self.assertLess(max(after, peak), 512 * MB)
        self.assertLess(seconds, 25, "Heroku kills after 30 s")

    def test_nothing_but_its_folders_can_be_written(self):
        with self.server({}) as server:
            for path, can in (("/usr/x", False), ("/etc/x", False), ("/mnt/x", False), ("/srv/x", True), ("/tmp/x", True)):
                self.assertEqual(server.run("sh", "-c", f"echo > {path}").returncode == 0, can, path)

    def test_any_user_without_a_folder_at_all(self):
        with self.server({"XRAY_STORE": "sqlite:/tmp/f.sqlite", "XRAY_CACHE": "/nowhere"}, user=48123, data=False) as server:
            self.assertEqual(server.upload(PICTURE)[0], 201)

    def test_findings_survive_on_their_volume(self):
        with self.server({}) as server:
            made = server.upload(PICTURE)[1]
            server.stop()
        with self.server({}) as server:
            self.assertEqual(server.ask("GET", f"/api/v1/findings/{made['id']}")[0], 200)

    def test_a_router_in_front_is_believed_where_it_is_to_be(self):
        with self.server(self.dyno()) as server:
            server.let_in("admin")
            self.assertEqual(server.ask("GET", "/readyz", headers={"X-Forwarded-For": "203.0.113.7",
                                                                  "X-Forwarded-Proto": "https"})[0], 200)
            server.ask("GET", "/api/v1/findings", headers={"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"})
            server.stop()
            self.assertIn("203.0.113.7", server.said())

    def test_while_it_stops_it_is_not_ready_but_serves(self):
        with self.server({"XRAY_STOP_DELAY": "1"}) as server:
            server.process.terminate()
            time.sleep(0.3)
            self.assertEqual(server.ask("GET", "/readyz")[0], 503)
            self.assertEqual(server.upload(PICTURE)[0], 201)
            self.assertEqual(server.process.wait(timeout=30), 0)


class Tutorials(Case):
    def test_every_command_is_one_that_exists(self):
        pages = sorted((ROOT / "docs").glob("deploy-*.md"))
        self.assertEqual(len(pages), 5)
        stubs = self.folder / "bin"
        stubs.mkdir()
        tutorials.write_stubs(stubs)
        environment = {"PATH": f"{stubs}:{os.environ['PATH']}", "STUB_LOG": str(self.folder / "log"),
                       "HOME": str(self.folder), "XRAY": str(OPTIONS.xray)}
        for page in pages:
            found = tutorials.blocks(page)
            self.assertTrue(found, page)
            for text in found:
                done = run("bash", "-euc", text, env=environment)
                self.assertEqual(done.returncode, 0, f"{page.name}:\n{text}\n{done.stdout}{done.stderr}")
        called = {line.split()[0] for line in (self.folder / "log").read_text().splitlines() if line.strip()}
        self.assertLessEqual({"heroku", "docker", "aws", "kubectl", "systemctl"}, called)

    def test_stubs_refuse_what_does_not_exist(self):
        stubs = self.folder / "bin"
        stubs.mkdir()
        tutorials.write_stubs(stubs)
        environment = {"PATH": f"{stubs}:{os.environ['PATH']}", "STUB_LOG": str(self.folder / "log")}
        for command in ("kubectl aply -f deploy/kubernetes", "kubectl apply -f deploy/nothing.yaml", "heroku config:add A=1",
                        "make nothing", "docker run <image>"):
            self.assertNotEqual(run("bash", "-c", command.replace("<", "'<'"), env=environment).returncode, 0, command)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("xray", "build", "deps"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--rootfs", type=pathlib.Path)
    OPTIONS, rest = parser.parse_known_args()
    OPTIONS.xray, OPTIONS.build, OPTIONS.deps = (path.resolve() for path in (OPTIONS.xray, OPTIONS.build, OPTIONS.deps))
    sys.path.insert(0, str(OPTIONS.deps / "deploy"))
    unittest.main(argv=[sys.argv[0], *rest])
