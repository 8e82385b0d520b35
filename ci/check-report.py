"""Reads latency.hlog, junit.xml and metrics.om of a run with the Python readers of others, and compares
what they found with run.json. Called by ci/check-report."""

import json
import math
import pathlib
import sys
from fractions import Fraction

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from junitparser import Error, Failure, JUnitXml, Skipped
from prometheus_client.openmetrics.parser import text_string_to_metric_families

LONGEST_NS = 3_600_000_000_000
PERCENTILES = [("50", "p50_ns"), ("90", "p90_ns"), ("95", "p95_ns"), ("99", "p99_ns"), ("99.9", "p999_ns")]

wrong = []


def same(what, found, expected):
    if found != expected:
        wrong.append(f"{what}: {found}, expected {expected}")


def fresh():
    return HdrHistogram(1, LONGEST_NS, 3)


def check_log(path, record):
    merged = {}
    reader = HistogramLogReader(str(path), fresh())
    intervals = 0
    while (interval := reader.get_next_interval_histogram()) is not None:
        intervals += 1
        # The first one brings the log's own resolution along.
        if interval.get_tag() in merged:
            merged[interval.get_tag()].add(interval)
        else:
            merged[interval.get_tag()] = interval
    checked = 0
    for operation in record["operations"]:
        for kind in ("response", "service"):
            expected = operation[kind]
            got = merged.get(f"{operation['name']}:{kind}", fresh())
            name = f"latency.hlog, {operation['name']} {kind}"
            same(f"{name} count", got.get_total_count(), expected["count"])
            if expected["count"] == 0:
                continue
            for percentile, field in PERCENTILES:
                # The p-th percentile of n is the ⌈p n⌉-th smallest; this package rounds p n to the nearest
                # instead, so it is asked for the share that is exactly that one.
                rank = math.ceil(Fraction(percentile) / 100 * expected["count"])
                share = 100 * rank / expected["count"]
                same(f"{name} p{percentile}", got.get_value_at_percentile(share), expected[field])
                checked += 1
    print(f"  latency.hlog  {intervals} intervals, {checked} percentiles compared")


def check_junit(path, record):
    """As junit.rs says: FAIL is a failure, INVALID and INCONCLUSIVE an error, the rest of what did not pass skipped."""

    def outcome(verdict, required):
        if verdict == "pass":
            return None
        if verdict == "not_verified" or not required:
            return Skipped
        return Failure if verdict == "fail" else Error

    judged = record["objectives"] + record["features"]
    expected = [outcome(record["verdict"], True)] + [outcome(j["verdict"], j["required"]) for j in judged]
    xml = JUnitXml.fromfile(str(path))
    found = [case.result[0].__class__ if case.result else None for suite in xml for case in suite]
    for kind in (None, Failure, Error, Skipped):
        name = kind.__name__ if kind else "passed"
        same(f"junit.xml, {name}", found.count(kind), expected.count(kind))
    same("junit.xml, tests", xml.tests, len(expected))
    same("junit.xml, failures", xml.failures, expected.count(Failure))
    same("junit.xml, errors", xml.errors, expected.count(Error))
    same("junit.xml, skipped", xml.skipped, expected.count(Skipped))
    print(f"  junit.xml     {len(found)} cases")


def check_metrics(path, record):
    families = {f.name: f for f in text_string_to_metric_families(path.read_text(encoding="utf-8"))}
    samples = {
        (s.name, s.labels.get("operation"), s.labels.get("quantile")): s.value
        for f in families.values()
        for s in f.samples
    }
    for operation in record["operations"]:
        name = operation["name"]
        completed = samples.get(("odgbench_operations_completed_total", name, None))
        same(f"metrics.om, {name} completed", completed, operation["completed"])
        p50 = samples.get(("odgbench_response_seconds", name, "0.5"))
        if p50 is not None:
            same(f"metrics.om, {name} p50", round(p50 * 1e9), operation["response"]["p50_ns"])
    print(f"  metrics.om    {len(families)} families, {len(samples)} kinds of sample")


def main():
    run = pathlib.Path(sys.argv[1])
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    checks = {"latency.hlog": check_log, "junit.xml": check_junit, "metrics.om": check_metrics}
    for name, check in checks.items():
        try:
            check(run / name, record)
        except Exception as error:  # whatever a reader has against a file is what is asked for here
            wrong.append(f"{name} is not accepted: {type(error).__name__}: {error}")
    for line in wrong:
        print(f"  WRONG {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
