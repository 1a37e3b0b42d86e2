"""What the authors' three scripts do with the raw files, in pandas of today, written anew from their description.

1. Every line of both files through `eval`, a DataFrame each, products without reviews dropped, both pickled.
2. The columns needed; categories, goods and users numbered in the order of their names; sorted by user and time;
   pickled.
3. For each user the history, one negative an event, training rows and the test row; shuffled; pickled.

It reads plain JSON, as theirs do. `eval` executes what the file says: give it only files of `generate.py`.
"""

import argparse
import os
import pickle
import random
import time

import pandas


def to_frame(path):
    with open(path) as lines:
        rows = {number: eval(line) for number, line in enumerate(lines)}
    return pandas.DataFrame.from_dict(rows, orient="index")


def convert(raw, work):
    reviews = to_frame(os.path.join(raw, "reviews_Electronics_5.json"))
    with open(os.path.join(work, "reviews.pkl"), "wb") as file:
        pickle.dump(reviews, file, pickle.HIGHEST_PROTOCOL)
    products = to_frame(os.path.join(raw, "meta_Electronics.json"))
    products = products[products["asin"].isin(reviews["asin"].unique())].reset_index(drop=True)
    with open(os.path.join(work, "products.pkl"), "wb") as file:
        pickle.dump(products, file, pickle.HIGHEST_PROTOCOL)


def numbered(frame, column):
    keys = sorted(frame[column].unique().tolist())
    numbers = dict(zip(keys, range(len(keys))))
    frame[column] = frame[column].map(numbers)
    return numbers, keys


def remap(work):
    with open(os.path.join(work, "reviews.pkl"), "rb") as file:
        reviews = pickle.load(file)[["reviewerID", "asin", "unixReviewTime"]]
    with open(os.path.join(work, "products.pkl"), "rb") as file:
        products = pickle.load(file)[["asin", "categories"]]
    products = products.assign(categories=products["categories"].map(lambda paths: paths[-1][-1]))
    goods, good_keys = numbered(products, "asin")
    _, category_keys = numbered(products, "categories")
    reviews = reviews.copy()
    _, user_keys = numbered(reviews, "reviewerID")
    products = products.sort_values("asin").reset_index(drop=True)
    reviews["asin"] = reviews["asin"].map(goods)
    reviews = reviews.sort_values(["reviewerID", "unixReviewTime"]).reset_index(drop=True)
    with open(os.path.join(work, "remap.pkl"), "wb") as file:
        pickle.dump(reviews, file, pickle.HIGHEST_PROTOCOL)
        pickle.dump(products["categories"].to_numpy(), file, pickle.HIGHEST_PROTOCOL)
        counts = (len(user_keys), len(good_keys), len(category_keys), len(reviews))
        pickle.dump(counts, file, pickle.HIGHEST_PROTOCOL)
        pickle.dump((good_keys, category_keys, user_keys), file, pickle.HIGHEST_PROTOCOL)
    return counts


def build(work):
    with open(os.path.join(work, "remap.pkl"), "rb") as file:
        reviews, categories, counts = pickle.load(file), pickle.load(file), pickle.load(file)
    random.seed(1234)
    last = counts[1] - 1
    train, test = [], []
    for user, events in reviews.groupby("reviewerID"):
        positives = events["asin"].tolist()

        def negative():
            good = positives[0]
            while good in positives:
                good = random.randint(0, last)
            return good

        negatives = [negative() for _ in positives]
        for place in range(1, len(positives)):
            history = positives[:place]
            if place < len(positives) - 1:
                train.append((user, history, positives[place], 1))
                train.append((user, history, negatives[place], 0))
            else:
                test.append((user, history, (positives[place], negatives[place])))
    random.shuffle(train)
    random.shuffle(test)
    with open(os.path.join(work, "dataset.pkl"), "wb") as file:
        for part in (train, test, categories, counts):
            pickle.dump(part, file, pickle.HIGHEST_PROTOCOL)
    return len(train), len(test)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", required=True, help="folder with the two plain files")
    parser.add_argument("--work", required=True, help="folder for the pickles")
    arguments = parser.parse_args()
    os.makedirs(arguments.work, exist_ok=True)
    times = []
    for step in (lambda: convert(arguments.raw, arguments.work), lambda: remap(arguments.work), lambda: build(arguments.work)):
        start = time.perf_counter()
        result = step()
        times.append(time.perf_counter() - start)
        print(f"  step {len(times)}: {times[-1]:8.2f} s  {result or ''}")
    print(f"  all:    {sum(times):8.2f} s")


if __name__ == "__main__":
    main()
