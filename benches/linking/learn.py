#!/usr/bin/env python3
"""Learns the tables of smart linking from real questions.

    cargo run --release --example link_signs -- DIR signs.csv
    python3 benches/linking/learn.py DIR signs.csv [src/domain/smart_link/learned]

DIR holds haystack.csv (company_id,name,domain) and queries.csv (query_id,...,true_company_id);
signs.csv what every question and its candidates show. Without the last argument nothing is
written: the tables are judged by cross-validation, the questions about one company always in one
part. Needs numpy and lightgbm.

Two tables of decision trees are learned by gradient boosting. The first sees what a question and
a candidate show by themselves. The second corrects it by how the candidate stands among its
rivals; it learns from the odds that the first gives for questions that it has not seen. Questions
are asked of the whole directory and of parts of it, so that the tables hold for few customers too.
"""
import collections, csv, hashlib, pathlib, sys
import lightgbm as lgb
import numpy as np

PARTS = 5
PAIR = dict(trees=120, leaves=12, rate=0.1)
RIVALS = dict(trees=60, leaves=8, rate=0.08)
# A wrong link merges strangers: questions without an answer count half as much again.
WITHOUT_ANSWER = 1.5
# A candidate without rivals is taken to lead by the odds of none; odds this close are as great.
ALONE, AS_GREAT = -8.0, 1.0
LINK, MARGIN, FLOOR = 0.6, 0.2, 0.1


def part_of(text):
    return int(hashlib.md5(text.encode()).hexdigest(), 16) % PARTS


def read(folder, signs):
    truth = {}
    with open(f'{folder}/queries.csv', encoding='utf8', newline='') as rows:
        for row in csv.DictReader(rows):
            truth[row['query_id']] = row['true_company_id']
    with open(signs, encoding='utf8') as rows:
        names = next(rows).rstrip('\n').split(',')[3:]
        cells = [row.rstrip('\n').split(',') for row in rows]
    queries = np.array([row[0] for row in cells])
    figures = np.array([[float(cell) for cell in row[3:]] for row in cells], dtype=np.float32)
    right = np.array([int(row[2]) for row in cells])
    companies = np.array([row[1] for row in cells])
    return truth, names, queries, companies, right, figures


# What agrees never lowers the odds, and what contradicts never raises them.
RISING = {'domain', 'email_domain', 'odds', 'lead'}
FALLING = {'rank', 'near'}


def train(names, x, y, weights, trees, leaves, rate, start=None, least=40):
    direction = [(name in RISING) - (name in FALLING) for name in names]
    settings = dict(objective='binary', num_leaves=leaves, learning_rate=rate, lambda_l2=5,
                    min_data_in_leaf=least, feature_fraction=0.6, bagging_fraction=0.8,
                    bagging_freq=1, seed=1, monotone_constraints=direction, deterministic=True, num_threads=2, verbose=-1)
    return lgb.train(settings, lgb.Dataset(x, y, weight=weights, init_score=start), trees)


def standing(odds, groups):
    """How each candidate stands among its rivals: odds, lead, rank, near."""
    found = np.zeros((len(odds), 4), dtype=np.float32)
    for group in groups:
        ours = odds[group]
        order = np.argsort(-ours)
        best = ours[order[0]]
        second = max(ours[order[1]], ALONE) if len(group) > 1 else ALONE
        for place, row in enumerate(group):
            other = second if place == order[0] else best
            found[row] = (ours[place], ours[place] - other, (ours > ours[place]).sum(),
                          (ours >= ours[place] - AS_GREAT).sum() - 1)
    return found


def evaluate(chance, groups, queries, companies, truth, whole):
    """The measures of the benchmark, for the questions to the whole directory."""
    right = wrong = wrong_without = first = answerable = without = 0
    bins = [[0, 0.0, 0] for _ in range(10)]
    by_query = {queries[group[0]]: group for group in groups}
    for query, company in truth.items():
        answerable += bool(company)
        without += not company
        group = by_query.get(f'{query}@{whole}')
        if group is None:
            continue
        order = np.argsort(-chance[group])
        best = chance[group[order[0]]]
        following = chance[group[order[1]]] if len(group) > 1 else 0
        if best < FLOOR:
            continue
        is_right = companies[group[order[0]]] == company
        first += is_right
        cell = bins[min(9, int(best * 10))]
        cell[0] += 1
        cell[1] += best
        cell[2] += is_right
        if best >= LINK and best - following >= MARGIN:
            right += is_right
            wrong += not is_right
            wrong_without += not company
    precision, recall = right / (right + wrong), right / answerable
    error = sum(abs(cell[1] - cell[2]) for cell in bins) / max(1, sum(cell[0] for cell in bins))
    return (f'F1 {2 * precision * recall / (precision + recall):.4f}  precision {precision:.4f}  '
            f'recall {recall:.4f}  truth first {first / answerable:.4f}  calibration {error:.4f}  '
            f'wrong without answer {wrong_without / without:.4f}')


def flatten(node, nodes):
    """A tree as a list of nodes, each with its value: a leaf's own, else the mean of its leaves'."""
    place = len(nodes)
    nodes.append(None)
    if 'leaf_value' in node:
        count = node.get('leaf_count', 1)
        nodes[place] = ('leaf', node['leaf_value'])
        return node['leaf_value'], count
    left, left_count = flatten(node['left_child'], nodes)
    right_place = len(nodes)
    right, right_count = flatten(node['right_child'], nodes)
    count = left_count + right_count
    value = (left * left_count + right * right_count) / max(count, 1)
    nodes[place] = ('node', node['split_feature'], node['threshold'], right_place - place, value)
    return value, count


def number(value):
    text = repr(float(np.float32(value)))
    short = f'{value:.6g}'
    return short if '.' in short or 'e' in short else f'{short}.0'


def write(model, path, name, what):
    lines = [f'//! {what}', '//!', '//! Written by `benches/linking/learn.py`.', '',
             'use crate::domain::smart_link::trees::{Node, leaf, n};', '', '#[rustfmt::skip]',
             f'pub(in crate::domain::smart_link) const {name}: &[&[Node]] = &[']
    for tree in model.dump_model()['tree_info']:
        nodes = []
        flatten(tree['tree_structure'], nodes)
        cells = []
        for node in nodes:
            if node[0] == 'leaf':
                cells.append(f'leaf({number(node[1])})')
            else:
                cells.append(f'n({node[1]}, {number(node[2])}, {node[3]}, {number(node[4])})')
        line = '    &['
        for place, cell in enumerate(cells):
            cell += '],' if place + 1 == len(cells) else ', '
            if len(line) + len(cell) > 100:
                lines.append(line.rstrip())
                line = '      '
            line += cell
        lines.append(line)
    lines.append('];')
    path.write_text('\n'.join(lines) + '\n', encoding='utf8')


def main():
    folder, signs = sys.argv[1], sys.argv[2]
    truth, names, queries, companies, right, figures = read(folder, signs)
    whole = queries[0].split('@')[1]
    rows = collections.defaultdict(list)
    for row, query in enumerate(queries):
        rows[query].append(row)
    groups = [np.array(group) for group in rows.values()]
    fold = np.array([part_of(truth[query.split('@')[0]] or query.split('@')[0]) for query in queries])

    weights = np.array([1.0 if truth[query.split('@')[0]] else WITHOUT_ANSWER for query in queries])
    odds = np.zeros(len(queries))
    for held in range(PARTS):
        seen = fold != held
        odds[~seen] = train(names, figures[seen], right[seen], weights[seen], **PAIR).predict(figures[~seen], raw_score=True)
    logistic = lambda odds: 1 / (1 + np.exp(-odds))
    print('pair alone:   ', evaluate(logistic(odds), groups, queries, companies, truth, whole))

    all_names = names + ['odds', 'lead', 'rank', 'near']
    beside = np.hstack([figures, standing(odds, groups)])
    total = np.zeros(len(queries))
    for held in range(PARTS):
        seen = fold != held
        model = train(all_names, beside[seen], right[seen], weights[seen], **RIVALS, start=odds[seen])
        total[~seen] = odds[~seen] + model.predict(beside[~seen], raw_score=True)
    print('with rivals:  ', evaluate(logistic(total), groups, queries, companies, truth, whole))
    for part in sorted({query.split('@')[1] for query in queries}):
        print(f'1/{part} of the directory, questions with a candidate:', end=' ')
        some = {query.split('@')[0] for query in queries if query.endswith(f'@{part}')}
        print(evaluate(logistic(total), groups, queries, companies, {q: c for q, c in truth.items() if q in some}, part))

    if len(sys.argv) > 3:
        to = pathlib.Path(sys.argv[3])
        pair = train(names, figures, right, weights, **PAIR)
        rivals = train(all_names, beside, right, weights, **RIVALS, start=odds)
        write(pair, to / 'pair.rs', 'PAIR', 'What a question and a customer show by themselves.')
        write(rivals, to / 'rivals.rs', 'RIVALS',
              'How a customer stands among its rivals: a correction of what it shows by itself.')
        gain = pair.feature_importance('gain')
        for place in np.argsort(-gain)[:50]:
            print(f'{names[place]:24} {gain[place] / gain.sum():.4f}')


main()
