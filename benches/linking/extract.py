#!/usr/bin/env python3
"""Cuts the small directory out of a large one that tests and benchmarks bring along.

    cargo run --release --example link_signs -- DIR signs.csv 1
    python3 benches/linking/extract.py DIR signs.csv tests/data/linking

DIR holds haystack.csv and queries.csv, as learn.py reads them, haystack_source.csv
(company_id,source) and query_tags.csv (query_id,category); signs.csv tells whom each question
resembles. What is chosen follows from hashes of the ids: nobody picks rows. A question brings the
company that is meant and those that resemble what it says, so that it is as hard as in the large
directory; companies at random fill the rest. Nothing from sources under a licence that asks for
more than a notice is taken; nor what a registry that people enter too does not mark as a company.
"""
import collections, csv, hashlib, pathlib, re, sys

QUESTIONS, LEAST, COMPANIES, RESEMBLING = 400, 4, 1_500, 3
COPYLEFT = {'gitdm'}
# Sorts of questions that are, wholly or in part, worded as such a source words them.
WORDED = {'name_usertyped', 'name_variant+freemail'}
# Where people register under their own names, only those with a legal form are companies for sure.
PEOPLE_TOO = {'iana-pen'}
FORM = re.compile(r'\b(inc|incorporated|corp|corporation|company|co|ltd|limited|llc|llp|lp|plc|pty|'
                  r'gmbh|ag|kg|ohg|bv|b\.v|nv|n\.v|sa|s\.a|sas|sarl|srl|s\.r\.l|spa|s\.p\.a|ab|as|a/s|'
                  r'aps|oy|kk|k\.k|sp\. z o\.o|ltda|sdn bhd|s\.r\.o|e\.v)\b', re.IGNORECASE)


def rows(path):
    with open(path, encoding='utf8', newline='') as file:
        return list(csv.DictReader(file))


def by_chance(text):
    return hashlib.md5(text.encode()).hexdigest()


def may_be_shipped(row, source):
    where = source[row['company_id']]
    return where not in COPYLEFT and (where not in PEOPLE_TOO or FORM.search(row['name']))


def main():
    folder, signs, to = map(pathlib.Path, sys.argv[1:4])
    source = {row['company_id']: row['source'] for row in rows(folder / 'haystack_source.csv')}
    category = {row['query_id']: row['category'] for row in rows(folder / 'query_tags.csv')}
    alike = collections.defaultdict(list)
    for row in rows(signs):
        alike[row['query'].split('@')[0]].append(row['company'])

    sorts = collections.defaultdict(list)
    for row in rows(folder / 'queries.csv'):
        free = source.get(row['true_company_id']) not in COPYLEFT
        if free and category[row['query_id']] not in WORDED:
            sorts[category[row['query_id']]].append(row)
    total = sum(map(len, sorts.values()))
    questions = []
    for sort in sorted(sorts):
        count = max(LEAST, round(QUESTIONS * len(sorts[sort]) / total))
        questions += sorted(sorts[sort], key=lambda row: by_chance(row['query_id']))[:count]
    questions.sort(key=lambda row: row['query_id'])

    directory = [row for row in rows(folder / 'haystack.csv') if may_be_shipped(row, source)]
    meant = {row['true_company_id'] for row in questions if row['true_company_id']}
    for row in questions:
        meant.update(alike[row['query_id']][:RESEMBLING])
    directory.sort(key=lambda row: (row['company_id'] not in meant, by_chance(row['company_id'])))
    companies = sorted(directory[:COMPANIES], key=lambda row: row['company_id'])

    to.mkdir(parents=True, exist_ok=True)
    with open(to / 'companies.csv', 'w', encoding='utf8', newline='') as file:
        out = csv.writer(file, lineterminator='\n')
        out.writerow(['company_id', 'name', 'domain', 'source'])
        for row in companies:
            key = row['company_id']
            out.writerow([key, row['name'], row['domain'], source[key]])
    with open(to / 'questions.csv', 'w', encoding='utf8', newline='') as file:
        out = csv.writer(file, lineterminator='\n')
        out.writerow(['query_id', 'category', 'name', 'domain', 'emails', 'true_company_id'])
        for row in questions:
            key = row['query_id']
            out.writerow([key, category[key], row['name'], row['domain'], row['emails'],
                          row['true_company_id']])
    known = {row['company_id'] for row in companies}
    lost = {row['true_company_id'] for row in questions} - known - {''}
    print(f'{len(questions)} questions, {len(companies)} companies')
    assert not lost, f'{len(lost)} companies that are meant are not there'


main()
