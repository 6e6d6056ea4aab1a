"""The heavy statistics of goldgate beside scipy and numpy on the same data, in one run; see against_scipy.sh.

against_scipy.py HEAVY REPORT   measures everything, checks that the answers agree, writes REPORT
against_scipy.py --work NAME FILE REPEATS BATCH   one work of the other side, in a process of its own
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import scipy
from scipy import optimize, special, stats

LEVEL = 0.9
MARGIN = 0.05
RESAMPLES = 9_999
ROUNDS = 3
SEED = 20_260_301


# ---- data -------------------------------------------------------------------------------------------------------------


def differences(rng, n, mean):
    """Paired differences in [-1, 1], 70 % of them 0, with about the given mean."""
    d = np.where(rng.random(n) < 0.7, 0.0, np.clip(0.4 * rng.normal(size=n), -1.0, 1.0))
    return np.clip(d + (mean - d.mean()) * (d != 0.0) / (d != 0.0).mean(), -1.0, 1.0)


def write(path, columns):
    with open(path, "wb") as f:
        np.array([len(columns)], dtype="<f8").tofile(f)
        for column in columns:
            np.asarray(column, dtype="<f8").tofile(f)


def read(path):
    flat = np.fromfile(path, dtype="<f8")
    return flat[1:].reshape(int(flat[0]), -1)


def make_data(folder):
    rng = np.random.default_rng(SEED)
    case = rng.normal(size=10_000)
    metrics = []
    for k in range(20):
        own = rng.normal(size=10_000)
        score = np.where(rng.random(10_000) < 0.5, 0.0, 0.3 * (0.6 * case + 0.8 * own))
        metrics.append(np.clip(score + 0.001 * k, -1.0, 1.0))
    write(f"{folder}/metrics", metrics)
    write(f"{folder}/metric", metrics[:1])
    n = 1_000_000
    write(f"{folder}/scores", [differences(rng, n, -MARGIN + 0.0004)])
    # A small shift, so that the p value is neither 0 nor 1.
    write(f"{folder}/ranks", [differences(rng, n, 0.0003)])
    write(f"{folder}/binary", [rng.choice([0.0, 1.0, -1.0], p=[0.9, 0.0255, 0.0745], size=n)])
    pairs = rng.integers(1, 9, size=n)
    lost = rng.binomial(pairs, rng.beta(0.5, 6.2, size=n))
    gained = rng.binomial(pairs - lost, rng.beta(0.5, 18.0, size=n))
    write(f"{folder}/clusters", [gained, lost, pairs])
    labels = rng.integers(0, n // 4, size=n)
    write(f"{folder}/families", [differences(rng, n, 0.0005) + 0.05 * rng.normal(size=n // 4)[labels], labels])


# ---- the other side ---------------------------------------------------------------------------------------------------


def row_mean(x, axis=-1):
    return np.mean(x, axis=axis)


def scipy_bootstrap(x, batch, method):
    result = stats.bootstrap(
        (x,), row_mean, n_resamples=RESAMPLES, batch=batch, vectorized=True, axis=-1,
        confidence_level=LEVEL, method=method, rng=np.random.default_rng(SEED),
    )
    interval = result.confidence_interval
    return np.stack([interval.low, interval.high], axis=-1).ravel().tolist()


def numpy_bca(x, batch):
    """BCa of means by hand: counts of a resample times the matrix (BLAS, both cores), the jackknife in closed form."""
    rng = np.random.default_rng(SEED)
    n = x.shape[1]
    rows = np.ascontiguousarray(x.T)
    means = np.empty((RESAMPLES, x.shape[0]))
    for start in range(0, RESAMPLES, batch):
        size = min(batch, RESAMPLES - start)
        counts = np.empty((size, n))
        for i in range(size):
            counts[i] = np.bincount(rng.integers(0, n, size=n), minlength=n)
        means[start : start + size] = counts @ rows / n
    out = []
    for column, replicates in zip(x, means.T):
        estimate = column.mean()
        share = (np.sum(replicates < estimate) + 0.5 * np.sum(replicates == estimate)) / RESAMPLES
        z0 = special.ndtri(share)
        c = column - estimate
        a = np.sum(c**3) / (6.0 * np.sum(c * c) ** 1.5)
        z = z0 + special.ndtri([0.5 * (1 - LEVEL), 0.5 * (1 + LEVEL)])
        out += np.quantile(replicates, special.ndtr(z0 + z / (1.0 - a * z))).tolist()
    return out


def scipy_sign_flip(x, batch):
    result = stats.permutation_test(
        (x[0],), row_mean, permutation_type="samples", vectorized=True, n_resamples=RESAMPLES,
        batch=batch, alternative="greater", rng=np.random.default_rng(SEED),
    )
    return [float(result.pvalue)]


def scipy_wilcoxon(x):
    result = stats.wilcoxon(x[0], zero_method="pratt", method="asymptotic", correction=False, alternative="greater")
    return [float(result.statistic), float(result.pvalue)]


def tango_z(b, c, n, d):
    big = -b - c + (2.0 * n - b + c) * d
    q = (np.sqrt(big * big + 8.0 * n * c * d * (1.0 - d)) - big) / (4.0 * n)
    return (b - c - n * d) / np.sqrt(n * (2.0 * q + d * (1.0 - d)))


def tango_limits(b, c, n, critical):
    estimate = (b - c) / n
    lower = optimize.brentq(lambda d: tango_z(b, c, n, d) - critical, -1.0 + 1e-9, estimate, xtol=1e-14)
    upper = optimize.brentq(lambda d: tango_z(b, c, n, d) + critical, estimate, 1.0 - 1e-9, xtol=1e-14)
    return [lower, upper]


def numpy_tango(x):
    b, c, n = np.count_nonzero(x[0] == 1.0), np.count_nonzero(x[0] == -1.0), x.shape[1]
    return tango_limits(b, c, n, special.ndtri(0.5 * (1 + LEVEL))) + [float(special.ndtr(-tango_z(b, c, n, -MARGIN)))]


def cr2(sizes, totals):
    n = sizes.sum()
    mean = totals.sum() / n
    share = sizes / n
    left = 1.0 - share
    residual = (totals - sizes * mean) / n
    h = share * share / left
    return n, mean, np.sum(residual * residual / left), 1.0 / (np.sum(share * share) + h.sum() ** 2 - np.sum(h * h))


def numpy_tango_clustered(x):
    gained, lost, pairs = x
    n, difference, variance, df = cr2(pairs, gained - lost)
    b, c = gained.sum(), lost.sum()
    effect = max(variance / (((b + c) / n - difference**2) / n), 1.0)
    b, c, n = b / effect, c / effect, n / effect
    limits = tango_limits(b, c, n, stats.t.ppf(0.5 * (1 + LEVEL), df))
    return limits + [float(stats.t.sf(tango_z(b, c, n, -MARGIN), df)), effect, df]


def numpy_cluster_mean(x):
    labels = x[1].astype(np.int64)
    sizes = np.bincount(labels)
    totals = np.bincount(labels, weights=x[0])[sizes > 0]
    _, mean, variance, df = cr2(sizes[sizes > 0].astype(float), totals)
    half = stats.t.ppf(0.5 * (1 + LEVEL), df) * np.sqrt(variance)
    return [mean - half, mean + half, np.sqrt(variance), df]


def gaffke_saddlepoint(x, m0):
    """Lugannani and Rice's tail of the sample with its worst case -1, at m0; one array operation per step."""
    a = np.append(x, -1.0) - m0
    lo, hi = 1.0 / a.min(), 1.0 / a.max()
    s = -a.sum() / np.dot(a, a)
    for _ in range(60):
        s = min(max(s, 0.999 * lo), 0.999 * hi)
        q = a / (1.0 - s * a)
        step = q.sum() / np.dot(q, q)
        s -= step
        if abs(step) <= 1e-12 * abs(s):
            break
    u = s * np.sqrt(np.dot(q, q))
    w = np.copysign(np.sqrt(2.0 * np.log1p(-s * a).sum()), s)
    return float(special.ndtr(w) + np.exp(-0.5 * w * w) / np.sqrt(2 * np.pi) * (1.0 / w - 1.0 / u))


def numpy_gaffke_p(x):
    return [gaffke_saddlepoint(x[0], -MARGIN)]


def numpy_gaffke_bound(x):
    x = x[0]
    error = x.std(ddof=1) / np.sqrt(len(x))
    goal = special.ndtri(0.5 * (1 - LEVEL))
    start = x.mean() + goal * error
    f = lambda m0: special.ndtri(gaffke_saddlepoint(x, m0)) - goal
    return [optimize.newton(f, start, x1=start + 0.01 * error, tol=1e-9 * error)]


OTHERS = {
    "scipy-bca": lambda x, batch: scipy_bootstrap(x, batch, "BCa"),
    "scipy-percentile": lambda x, batch: scipy_bootstrap(x, batch, "percentile"),
    "numpy-bca": lambda x, batch: numpy_bca(x, batch),
    "scipy-sign-flip": lambda x, batch: scipy_sign_flip(x, batch),
    "scipy-wilcoxon": lambda x, _: scipy_wilcoxon(x),
    "numpy-tango": lambda x, _: numpy_tango(x),
    "numpy-tango-clustered": lambda x, _: numpy_tango_clustered(x),
    "numpy-cluster-mean": lambda x, _: numpy_cluster_mean(x),
    "numpy-gaffke-p": lambda x, _: numpy_gaffke_p(x),
    "numpy-gaffke-bound": lambda x, _: numpy_gaffke_bound(x),
}


def one_work(name, file, repeats, batch):
    x = read(file)
    seconds = []
    for _ in range(int(repeats)):
        start = time.perf_counter()
        answer = OTHERS[name](x, int(batch))
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": seconds, "peak-rss-kib": peak_rss_kib(), "answer": [float(a) for a in answer]}))


def peak_rss_kib():
    """The peak of this program alone: getrusage would also count what its parent held when it started it."""
    try:
        with open("/proc/self/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return None


# ---- do the answers agree? --------------------------------------------------------------------------------------------


def same_intervals(ours, theirs):
    """Both are simulations: limits within 0.12 standard errors, four Monte-Carlo errors of a difference of two."""
    ours, theirs = np.reshape(ours, (-1, 2)), np.reshape(theirs, (-1, 2))
    error = (theirs[:, 1] - theirs[:, 0]) / (2 * special.ndtri(0.5 * (1 + LEVEL)))
    return float(np.max(np.abs(ours - theirs) / error[:, None])), 0.12, "standard errors"


def same_share(ours, theirs):
    """Both are simulations: the p value within four Monte-Carlo errors of a difference of two."""
    spread = np.sqrt(2 * theirs[0] * (1 - theirs[0]) / RESAMPLES)
    return abs(ours[0] - theirs[0]) / spread, 4.0, "Monte-Carlo errors"


def same_numbers(tolerance):
    def check(ours, theirs):
        ours, theirs = np.array(ours[: len(theirs)]), np.array(theirs)
        return float(np.max(np.abs(ours - theirs) / np.abs(theirs))), tolerance, "relative"

    return check


def same_bound(ours, theirs):
    """One is exact, the other a saddlepoint approximation."""
    return abs(ours[0] - theirs[0]), 1e-6, "absolute"


# Title, work and file of goldgate, work of the other side, its name, repeats within a process, check.
WORKS = [
    ("BCa of 20 metrics, 10,000 cases, 9,999 resamples", "bca-columns", "metrics", "scipy-bca",
     "scipy.stats.bootstrap, BCa", 1, same_intervals),
    ("the same, against resampling without the jackknife", "bca-columns", "metrics", "scipy-percentile",
     "scipy.stats.bootstrap, percentile", 1, same_intervals),
    ("the same, against a hand-written matrix product", "bca-columns", "metrics", "numpy-bca",
     "numpy, ours (BLAS)", 1, same_intervals),
    ("BCa of 1 metric, 10,000 cases, 9,999 resamples", "bca", "metric", "scipy-bca",
     "scipy.stats.bootstrap, BCa", 1, same_intervals),
    ("sign flips, 10,000 differences, 9,999 patterns", "sign-flip", "metric", "scipy-sign-flip",
     "scipy.stats.permutation_test", 1, same_share),
    ("Wilcoxon (Pratt, normal), 10,000 differences", "wilcoxon", "metric", "scipy-wilcoxon",
     "scipy.stats.wilcoxon", 9, same_numbers(1e-6)),
    ("Wilcoxon (Pratt, normal), 1,000,000 differences", "wilcoxon", "ranks", "scipy-wilcoxon",
     "scipy.stats.wilcoxon", 3, same_numbers(1e-6)),
    ("Gaffke's bound, 1,000,000 scores", "gaffke-bound", "scores", "numpy-gaffke-bound",
     "numpy, ours (saddlepoint)", 3, same_bound),
    ("Gaffke's p, 1,000,000 scores", "gaffke-p", "scores", "numpy-gaffke-p",
     "numpy, ours (saddlepoint)", 3, same_numbers(0.02)),
    ("Tango, 1,000,000 pairs, counting included", "tango", "binary", "numpy-tango",
     "numpy, ours", 5, same_numbers(1e-6)),
    ("cluster-scaled Tango, 1,000,000 clusters", "tango-clustered", "clusters", "numpy-tango-clustered",
     "numpy, ours", 5, same_numbers(1e-6)),
    ("cluster mean (CR2), 1,000,000 differences, 250,000 clusters", "cluster-mean", "families", "numpy-cluster-mean",
     "numpy, ours", 5, same_numbers(1e-6)),
]


# ---- measuring --------------------------------------------------------------------------------------------------------


def run(command, **environment):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def other(work, file, repeats, batch):
    return run([sys.executable, __file__, "--work", work, file, str(repeats), str(batch)])


def best_batch(file):
    """The batch with which scipy's bootstrap is quickest here: it decides between cache and Python."""
    x, times = read(file), {}
    for batch in (1, 4, 16, 64, 256):
        start = time.perf_counter()
        stats.bootstrap((x,), row_mean, n_resamples=256, batch=batch, vectorized=True, axis=-1, method="percentile",
                        rng=np.random.default_rng(SEED))
        times[batch] = time.perf_counter() - start
    return min(times, key=times.get)


def measure(heavy, folder):
    batches = {name: best_batch(f"{folder}/{name}") for name in ("metrics", "metric")}
    rows = []
    for title, work, name, theirs, label, repeats, check in WORKS:
        file, batch = f"{folder}/{name}", batches.get(name, 1)
        if theirs == "numpy-bca":
            batch = 64
        all_ours, all_single, all_theirs = [], [], []
        for _ in range(ROUNDS):
            # In turns, so that a busy minute of the machine meets all of them.
            all_ours.append(run([heavy, work, file, str(max(repeats, 3))]))
            all_theirs.append(other(theirs, file, repeats, batch))
            all_single.append(run([heavy, work, file, str(max(repeats, 3))], RAYON_NUM_THREADS="1"))
        if any(o["answer"] != all_ours[0]["answer"] for o in all_ours + all_single):
            sys.exit(f"{title}: goldgate's answer depends on the number of threads")
        error, tolerance, unit = check(all_ours[0]["answer"], all_theirs[0]["answer"])
        if not error <= tolerance:
            sys.exit(f"{title}: the answers differ by {error} {unit}, more than {tolerance}")
        rows.append((title, all_ours, all_single, label, all_theirs, f"{error:.1e} of {tolerance:g} {unit}"))
        print(f"{title}: done", file=sys.stderr)
    return rows, batches


def figure(seconds):
    return f"{seconds:.3g}" if seconds >= 0.1 else f"{1e3 * seconds:.3g} ms"


def table(rows):
    def seconds(runs):
        return [s for r in runs for s in r["seconds"]]

    def both(runs):
        return f"{figure(min(seconds(runs)))} / {figure(statistics.median(seconds(runs)))}"

    def peak(runs):
        peaks = [r["peak-rss-kib"] for r in runs]
        return "unknown" if None in peaks else f"{max(peaks) / 1024:.0f}"

    yield "| work | goldgate, s | on one thread, s | peak MiB | against | s | peak MiB | ratio | on one thread | answers differ by |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for title, ours, single, label, theirs, agreement in rows:
        median = {k: statistics.median(seconds(v)) for k, v in (("o", ours), ("s", single), ("t", theirs))}
        ratios = f"{median['t'] / median['o']:.1f} | {median['t'] / median['s']:.1f}"
        yield (f"| {title} | {both(ours)} | {both(single)} | {peak(ours)} | {label} | {both(theirs)} | {peak(theirs)} "
               f"| {ratios} | {agreement} |")


def processor():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"


def report(rows, batches, load):
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return "\n".join([
        "# Benchmarks of the statistics",
        "",
        "Written by `benches/against_scipy.sh`; run it again instead of editing this page.",
        "",
        f"{processor()}, {os.cpu_count()} cores, load {load:.1f} before the run; goldgate at {commit}, "
        f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}.",
        "",
        *table(rows),
        "",
        "- Seconds are minimum / median over at least three processes, taken in turns: goldgate, the other, goldgate on one",
        "  thread. Reading the data is not in them. Ratios are of medians. A load above 0.5 before the run means that other",
        "  work took part of the machine, and that the figures, ratios above all, are rough.",
        "- Peak MiB is the peak of resident memory of the whole process: data, and for the other side Python with numpy and",
        "  scipy included.",
        f"- scipy's bootstrap and permutation test are vectorised, with the quickest of five batch sizes ({batches['metrics']} for 20",
        f"  metrics, {batches['metric']} for one). Neither uses a second core; the column \"on one thread\" compares like with like. The",
        "  matrix product of numpy uses all cores.",
        "- scipy takes the jackknife of BCa by recomputing the mean n times; goldgate has it in closed form. The second row",
        "  shows what resampling alone costs scipy.",
        "- \"numpy, ours\" stands where scipy has no such function: array operations written for this comparison.",
        "- goldgate's answers are the same bits on one thread and on all; the script stops if they are not. \"Differ by\" is the",
        "  largest difference from the other side, and the limit at which the script stops. Simulations differ by their own",
        "  randomness; Gaffke's bound and p are exact in goldgate and a saddlepoint approximation in numpy.",
        "",
    ])


def settled_load():
    """Load of the last minute, after the build that came before has left it or three minutes are over."""
    give_up = time.monotonic() + 180
    while os.getloadavg()[0] > 0.5 and time.monotonic() < give_up:
        time.sleep(5)
    return os.getloadavg()[0]


def main():
    if sys.argv[1:2] == ["--work"]:
        return one_work(*sys.argv[2:])
    heavy, target = sys.argv[1:]
    load = settled_load()
    with tempfile.TemporaryDirectory() as folder:
        make_data(folder)
        rows, batches = measure(heavy, folder)
    text = report(rows, batches, load)
    with open(target, "w") as f:
        f.write(text)
    print(text)


if __name__ == "__main__":
    main()
