"""The reader on small bundles: types, filters, forest plots, faults, hostile bundles, and that R
prints the same, where R is installed.

    python -m unittest discover -s shared/readers/python/tests
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import bundles  # noqa: E402
import fedval_report  # noqa: E402
from fedval_report import BundleError, Problem, open_bundle  # noqa: E402
from fedval_report.__main__ import main  # noqa: E402

R_SCRIPT = HERE.parent.parent / "r" / "fedval_report.R"
ESTIMATES = "estimates.csv"


class Case(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name) / "bundle"

    def bundle(self, **changed: str) -> fedval_report.Bundle:
        """A bundle in which the named files (without their ending) have another text."""
        files = bundles.files()
        files.update({f"{name}.csv": text.encode() for name, text in changed.items()})
        return open_bundle(bundles.write(self.folder, files))

    def refused(self, *words: str) -> Any:
        """A context in which a BundleError with these words and a fix is raised."""
        test = self

        class Refused(contextlib.AbstractContextManager[None]):
            def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
                test.assertIsInstance(error, BundleError)
                for word in words:
                    test.assertIn(word, str(error))
                test.assertTrue(error.why and error.fix)
                return True

        return Refused()


class Tables(Case):
    def test_columns_have_their_types(self) -> None:
        pooled, aarau = self.bundle().estimates(analysis="auc.m.e")[:2]
        self.assertEqual((pooled["estimate"], pooled["ci_low"]), (0.8125, 0.7000000000000001))
        self.assertEqual((pooled["k_sites"], pooled["q_df"]), (2, 1))
        self.assertIs(pooled["suppressed"], False)
        self.assertIsInstance(aarau["n"], int)
        self.assertIsInstance(aarau["weight"], float)
        self.assertEqual(pooled["method"], "random-effects REML, HKSJ guarded")

    def test_what_is_missing_is_none_and_zero_is_zero(self) -> None:
        bundle = self.bundle()
        hidden, = bundle.estimates(site="basel")
        self.assertIsNone(hidden["estimate"])
        self.assertIsNone(hidden["n"])
        self.assertEqual(hidden["reason"], "hidden by disclosure rules")
        zero, = bundle.counts(state="zero")
        self.assertEqual(zero["count"], 0)
        cell, = bundle.counts(suppressed=True)
        self.assertEqual((cell["count"], cell["count_low"], cell["count_high"]), (None, 0, 9))

    def test_intervals_may_be_open_on_one_side(self) -> None:
        bundle = self.bundle()
        self.assertIsNone(bundle.estimates(site="chur")[0]["ci_high"])
        high = bundle.estimates(threshold=0.5)[0]["ci_high"]
        self.assertTrue(isinstance(high, float) and math.isinf(high))

    def test_text_keeps_its_signs(self) -> None:
        bundle = self.bundle()
        methods = [row["method"] for row in bundle.estimates(metric="sensitivity")]
        self.assertEqual(methods, ['say "hm", then\nmore', "=cmd()"])
        self.assertEqual(bundle.sites(site="chur")[0]["display_name"], "Chur, Graub\u00fcnden")

    def test_filters_take_values_lists_and_none(self) -> None:
        bundle = self.bundle()
        self.assertEqual(len(bundle.estimates()), 7)
        self.assertEqual(len(bundle.estimates(metric="auc", scope="site")), 3)
        self.assertEqual(len(bundle.estimates(threshold=[0.5, 0.7])), 2)
        self.assertEqual(len(bundle.estimates(site=None)), 4)
        self.assertEqual(len(bundle.curves(curve="roc", threshold=None)), 1)
        self.assertEqual(bundle.estimates(metric="kappa"), [])

    def test_a_filter_that_cannot_match_is_named(self) -> None:
        bundle = self.bundle()
        with self.refused("estimates.csv has no column metrik", "its columns are", "metric"):
            bundle.estimates(metrik="auc")
        with self.refused("never '0.5'", "it holds numbers"):
            bundle.estimates(threshold="0.5")
        with self.refused("it holds true and false"):
            bundle.counts(suppressed="yes")
        head = bundles.COUNTS.split("\n")[0] + "\n"
        with self.refused("counts.csv has no column metrik"):
            self.bundle(counts=head).counts(metrik="auc")

    def test_tables_that_were_changed_are_refused(self) -> None:
        for curves, word in (
            (bundles.CURVES.replace(",0.1,", ",one,"), "'one' is no value of the column x"),
            (bundles.CURVES.replace(",0.1,", ",NaN,"), "'NaN' is no value of the column x"),
            (bundles.CURVES.replace(",0.1,", ",1_0,"), "'1_0' is no value of the column x"),
            (bundles.CURVES.replace(",0.1,,", ",0.1,"), "has 15 fields, the head 16"),
            (bundles.CURVES.replace("study,model", "model,model"), "name columns, each once"),
            (bundles.CURVES.replace("site,aarau", '"site,aarau'), "is not as Fedval writes it"),
            ("", "name columns"),
        ):
            with self.refused("curves.csv is not as Fedval writes it", word):
                self.bundle(curves=curves).curves()

    def test_files_that_a_spreadsheet_saved_again_are_read(self) -> None:
        again = "\ufeff" + bundles.CURVES.replace("\n", "\r\n")
        self.assertEqual(self.bundle(curves=again).curves(), self.bundle().curves())

    def test_columns_of_later_versions_are_text(self) -> None:
        lines = bundles.CURVES.rstrip("\n").split("\n")
        later = "\n".join([lines[0] + ",new", *(f"{line},1" for line in lines[1:])]) + "\n"
        self.assertEqual(self.bundle(curves=later).curves()[0]["new"], "1")


class Forests(Case):
    def test_without_a_key_it_is_the_primary_analysis(self) -> None:
        forest = self.bundle().forest()
        self.assertEqual(forest.key["analysis"], "auc.m.e")
        assert forest.pool is not None
        self.assertEqual((forest.pool["pi_low"], forest.pool["pi_high"]), (0.55, 0.94))
        self.assertEqual(forest.pool["withheld_sites"], "basel")
        self.assertIsNone(forest.reason)

    def test_every_invited_site_has_a_row(self) -> None:
        rows = self.bundle().forest(metric="auc").sites
        self.assertEqual([row["site"] for row in rows], ["aarau", "basel", "chur", "davos"])
        self.assertEqual([row["estimate"] for row in rows], [0.75, None, 0.875, None])
        self.assertEqual([row["weight"] for row in rows], [60.5, None, 39.5, None])
        self.assertEqual([row["state"] for row in rows],
                         ["number", "suppressed", "number", "not-released"])
        self.assertEqual(rows[3]["reason"], "not released under its own policy")

    def test_no_pool_has_a_reason(self) -> None:
        forest = self.bundle().forest(metric="auc", axis="sex", level="women")
        self.assertIsNone(forest.pool)
        self.assertEqual(forest.reason, "No pool")
        self.assertEqual(forest.sites[0]["reason"], "not in its release")

    def test_one_analysis_must_be_meant(self) -> None:
        bundle = self.bundle()
        with self.refused("2 analyses are meant", "they differ in threshold", "sens.m.e.at-0.5"):
            bundle.forest(metric="sensitivity")
        self.assertEqual(bundle.forest(metric="sensitivity", threshold=0.7).key["threshold"], 0.7)
        with self.refused("there is no analysis with metric kappa"):
            bundle.forest(metric="kappa")
        with self.refused("forest does not know site"):
            bundle.forest(site="aarau")


class Verifying(Case):
    def test_a_whole_bundle_has_no_problem(self) -> None:
        self.assertEqual(self.bundle().verify(), [])

    def test_a_changed_byte_a_missing_and_an_added_file_are_named(self) -> None:
        bundle = self.bundle()
        path = self.folder / ESTIMATES
        path.write_bytes(path.read_bytes().replace(b"0.8125", b"0.9125"))
        (self.folder / "schema/report.schema.json").unlink()
        (self.folder / "schema/extra.txt").write_text("x")
        self.assertEqual(bundle.verify(), [
            Problem(ESTIMATES, "changed: its SHA-256 is not the one in manifest.json"),
            Problem("schema/extra.txt", "added: not listed in manifest.json"),
            Problem("schema/report.schema.json",
                    "missing: listed in manifest.json, not in the bundle"),
        ])

    def test_a_file_that_grew_is_changed(self) -> None:
        bundle = self.bundle()
        with open(self.folder / ESTIMATES, "a") as file:
            file.write("\n")
        self.assertEqual([name for name, _ in bundle.verify()], [ESTIMATES])

    def test_paths_that_leave_the_bundle_are_refused(self) -> None:
        outside = self.folder.parent / "secret.csv"
        outside.write_bytes(b"secret")
        for name in ("../secret.csv", str(outside), "a/../../secret.csv", "C:\\x", "..\\secret.csv",
                     "./estimates.csv", "a//b", "", "a/"):
            listed = bundles.manifest({**bundles.files(), name: b"secret"})
            bundle = open_bundle(bundles.write(self.folder, bundles.files(), listed))
            problem = Problem(name, "refused: its path leaves the bundle")
            self.assertEqual(bundle.verify(), [problem])

    def test_links_are_not_followed(self) -> None:
        bundle = self.bundle()
        elsewhere = self.folder.parent / "elsewhere"
        shutil.move(str(self.folder / "schema"), str(elsewhere))
        (self.folder / "schema").symlink_to(elsewhere, target_is_directory=True)
        shutil.move(str(self.folder / ESTIMATES), str(elsewhere / ESTIMATES))
        (self.folder / ESTIMATES).symlink_to(elsewhere / ESTIMATES)
        (self.folder / "loop").symlink_to(self.folder, target_is_directory=True)
        self.assertEqual(bundle.verify(), [
            Problem(ESTIMATES, "refused: it is a symbolic link"),
            Problem("loop", "refused: it is a symbolic link"),
            Problem("schema", "refused: it is a symbolic link"),
            Problem("schema/report.schema.json",
                    "missing: listed in manifest.json, not in the bundle"),
        ])
        with self.refused("estimates.csv is not read", "symbolic link"):
            bundle.estimates()

    @unittest.skipUnless(hasattr(os, "mkfifo"), "no named pipes here")
    def test_a_named_pipe_is_not_waited_for(self) -> None:
        bundle = self.bundle()
        (self.folder / ESTIMATES).unlink()
        os.mkfifo(self.folder / ESTIMATES)
        self.assertEqual(bundle.verify(), [Problem(ESTIMATES, "refused: it is no regular file")])


class Opening(Case):
    def test_what_is_no_bundle_is_refused(self) -> None:
        with self.refused("is not there"):
            open_bundle(self.folder)
        self.folder.mkdir()
        with self.refused("manifest.json is missing"):
            open_bundle(self.folder)
        text = self.folder / "a.txt"
        text.write_text("no archive")
        with self.refused("is no .zip archive"):
            open_bundle(text)

    def test_a_file_that_is_missing_is_named(self) -> None:
        bundle = self.bundle()
        (self.folder / "curves.csv").unlink()
        with self.refused("curves.csv is missing", "verify"):
            bundle.curves()

    def test_later_versions_are_refused(self) -> None:
        files = bundles.files()
        bundles.write(self.folder, files, bundles.manifest(files, "fedval.manifest/2"))
        with self.refused("fedval.manifest/2", "these readers know version 1", "install"):
            open_bundle(self.folder)
        bundles.write(self.folder, {**files, "report.json": b'{"schema":"fedval.report/2"}'})
        with self.refused("fedval.report/2"):
            open_bundle(self.folder)
        bundle = self.bundle(estimates=bundles.ESTIMATES.replace("estimates/1", "estimates/2"))
        with self.refused("fedval.estimates/2"):
            bundle.estimates()
        bundles.write(self.folder, files, bundles.manifest(files, "fedval.manifest/1.7"))
        self.assertEqual(open_bundle(self.folder).verify(), [])

    def test_manifests_that_are_none_are_refused(self) -> None:
        good = bundles.manifest(bundles.files()).decode()
        digest = json.loads(good)["files"][ESTIMATES]["sha256"]
        for text in ("", "[]", "{", good + "x", good.replace(digest, digest[1:]), "\u00ff",
                     good.replace('"files":{', '"files":{"sites.csv":{"bytes":1},'),
                     good.replace('"fedval.manifest/1"', "7"), '{"files":[],"schema":"x/1"}',
                     "[" * 100000, good.replace('"bytes":', '"bytes":true,"x":', 1)):
            bundles.write(self.folder, listed=text.encode("latin-1"))
            with self.refused("manifest.json is not as Fedval writes it"):
                open_bundle(self.folder)

    def test_messages_do_not_steer_a_terminal(self) -> None:
        listed = bundles.manifest({**bundles.files(), "\x1b[2J": b""})
        bundles.write(self.folder, bundles.files(), listed)
        self.assertNotIn("\x1b", run("verify", self.folder)[1])
        bundle = self.bundle(curves="\x1b[2J\n1\n")
        with self.refused("\\u001b[2J"):
            bundle.curves(model="m")


class Archives(Case):
    def archive(self, prefix: str = "", **info: Any) -> Path:
        """A .zip of the test bundle; `info` adds one entry with these attributes."""
        path = self.folder.with_suffix(".zip")
        bundles.write(self.folder)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(self.folder.rglob("*")):
                archive.write(file, prefix + file.relative_to(self.folder).as_posix())
            if info:
                entry = zipfile.ZipInfo(info.pop("name"))
                for name, value in info.items():
                    setattr(entry, name, value)
                archive.writestr(entry, b"/etc/passwd")
        return path

    def test_an_archive_reads_as_its_folder(self) -> None:
        for prefix in ("", "chest-ct_r1/"):
            archive = open_bundle(self.archive(prefix))
            self.assertEqual(archive.verify(), [])
            folder = open_bundle(self.folder)
            self.assertEqual(archive.estimates(), folder.estimates())
            self.assertEqual(archive.forest(), folder.forest())

    def test_an_archive_with_more_in_it_is_not_whole(self) -> None:
        for name, problem in (("extra.txt", "added: not listed in manifest.json"),
                              ("../x.txt", "refused: its path leaves the bundle")):
            found = open_bundle(self.archive(name=name)).verify()
            self.assertEqual(found, [Problem(name, problem)])
        link = (stat.S_IFLNK | 0o777) << 16
        found = open_bundle(self.archive(name="l", external_attr=link, create_system=3)).verify()
        self.assertEqual(found, [Problem("l", "refused: it is a symbolic link")])

    def test_a_damaged_archive_is_not_whole(self) -> None:
        path = self.archive()
        with zipfile.ZipFile(path) as archive:
            at = archive.getinfo(ESTIMATES).header_offset + 60
        data = bytearray(path.read_bytes())
        data[at] ^= 0xFF
        path.write_bytes(data)
        bundle = open_bundle(path)
        self.assertEqual([name for name, _ in bundle.verify()], [ESTIMATES])
        with self.refused("estimates.csv cannot be read"):
            bundle.estimates()


class Output:
    """Standard output of which the bytes are kept."""

    def __init__(self) -> None:
        self.buffer = io.BytesIO()


def run(*arguments: object) -> tuple[int, str]:
    """Exit code and output of a command."""
    output, errors = Output(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):  # type: ignore
        code = main([str(argument) for argument in arguments])
    return code, output.buffer.getvalue().decode() + errors.getvalue()


class Commands(Case):
    def test_verify_ends_with_its_answer(self) -> None:
        self.bundle()
        code, said = run("verify", self.folder)
        self.assertEqual(code, 0)
        self.assertIn("whole: 6 files as manifest.json says", said)
        (self.folder / "sites.csv").unlink()
        code, said = run("verify", self.folder)
        self.assertEqual((code, said.split(":")[0]), (1, '"sites.csv" missing'))
        self.assertEqual(run("verify", self.folder / "none")[0], 1)
        self.assertEqual(run("verify")[0], 2)

    @unittest.skipUnless(shutil.which("Rscript"), "R is not installed")
    def test_r_prints_the_same(self) -> None:
        self.bundle()
        for command, change in (("dump", None), ("verify", None), ("verify", "change"),
                                ("verify", "remove")):
            if change == "change":
                (self.folder / "sites.csv").write_bytes(b"x" * 10)
                (self.folder / "extra").symlink_to(self.folder)
            elif change == "remove":
                (self.folder / ESTIMATES).unlink()
            code, ours = run(command, self.folder)
            theirs = subprocess.run(["Rscript", "--vanilla", R_SCRIPT, command, self.folder],
                                    capture_output=True, check=False)
            self.assertEqual(ours, theirs.stdout.decode(), theirs.stderr.decode())
            self.assertEqual(code, theirs.returncode)


if __name__ == "__main__":
    unittest.main()
