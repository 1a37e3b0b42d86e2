"""Writes statistics.json: two models of three seeds on 400 users, and what scipy and statsmodels say of them.

    python -m venv venv && venv/bin/pip install numpy scipy statsmodels && venv/bin/python statistics.py
"""

import json
import pathlib

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

USERS, SEEDS, MANY = 400, 3, 200_000
draw = np.random.default_rng(20261126)
weights = draw.integers(2, 9, USERS).astype(float)
taste = draw.normal(0.0, 0.7, USERS)


def model(shift):
    level = draw.normal(shift, 0.06, SEEDS)
    noise = draw.normal(0.0, 1.0, (SEEDS, USERS))
    # As AUCs of a few pairs are: multiples of a quarter.
    return np.round(4 / (1 + np.exp(-(taste + level[:, None] + noise)))) / 4


first, second = model(0.62), model(0.5)
difference = first - second
mean = difference.mean(axis=0)


def ratio(w, d):
    return (w * d).sum(-1) / w.sum(-1)


# One run a side, equal weights: scipy's own bootstrap.
single = stats.bootstrap(
    (difference[0],), np.mean, n_resamples=MANY, method="percentile", batch=1000, rng=draw
).confidence_interval

# Three seeds, weights: users and seeds are drawn independently and what they move is added.
widening = stats.t.ppf(0.975, SEEDS - 1) / stats.norm.ppf(0.975) * np.sqrt(SEEDS / (SEEDS - 1))
by_seed = ratio(weights, difference)
of_seeds = []
for _ in range(MANY // 1000):
    users = draw.integers(0, USERS, (1000, USERS))
    seeds = draw.integers(0, SEEDS, (1000, SEEDS))
    moved = by_seed[seeds].mean(axis=1) - by_seed.mean()
    of_seeds.append(ratio(weights[users], mean[users]) + widening * moved)
of_seeds = np.concatenate(of_seeds)


def permutation(w, d):
    test = stats.permutation_test(
        (w * d, np.zeros(USERS)),
        lambda x, y, axis: (x - y).sum(axis=axis),
        permutation_type="samples",
        n_resamples=MANY,
        batch=2000,
        rng=draw,
    )
    return float(test.pvalue)


def student(w, d, seeds):
    residuals = w * (d - ratio(w, d))
    users = USERS / (USERS - 1) * (residuals**2).sum() / w.sum() ** 2
    spread = stats.sem(seeds) ** 2
    degrees = (users + spread) ** 2 / (spread**2 / (SEEDS - 1) + users**2 / (USERS - 1))
    return 2 * stats.t.sf(abs(ratio(w, d)) / np.sqrt(users + spread), degrees)


p_values = [0.011, 0.0004, 0.2, 0.03, 0.011, 0.9, 0.0004]
golden = {
    "weights": weights.tolist(),
    "first": first.tolist(),
    "second": second.tolist(),
    "single": {
        "effect": difference[0].mean(),
        "interval": [single.low, single.high],
        "standard_error": stats.sem(difference[0]),
        "p_permutation": permutation(np.ones(USERS), difference[0]),
    },
    "seeds": {
        "effect": ratio(weights, mean),
        "interval": np.quantile(of_seeds, [0.025, 0.975]).tolist(),
        "p_bootstrap": 2 * min((of_seeds <= 0).mean(), (of_seeds >= 0).mean()),
        "p_permutation": permutation(weights, mean),
        "standard_error_seeds": stats.sem([ratio(weights, d) for d in difference]),
        "p_student": student(weights, mean, [ratio(weights, d) for d in difference]),
    },
    "holm": {
        "p": p_values,
        "adjusted": multipletests(p_values, method="holm")[1].tolist(),
    },
    "student_975": {str(n): stats.t.ppf(0.975, n) for n in (1, 2, 4, 9, 30, 200)},
    "student_p": [[t, n, 2 * stats.t.sf(t, n)] for t in (0.3, 2.0, 11.0) for n in (1, 4, 30)],
    "std_interval_95": {
        str(n): [np.sqrt((n - 1) / stats.chi2.ppf(q, n - 1)) for q in (0.975, 0.025)]
        for n in (2, 3, 5, 35)
    },
}
here = pathlib.Path(__file__).parent
(here / "statistics.json").write_text(json.dumps(golden) + "\n")
print(json.dumps({key: golden[key] for key in ("single", "seeds", "holm")}, indent=1))
