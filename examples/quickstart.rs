//! The main job, on real companies: a directory of customers is loaded, sign-ups that spell the
//! same companies differently are onboarded, put on tiers, metered until some reach their limit,
//! corrected, and proven.
//!
//! ```sh
//! cargo run --example quickstart            # keeps everything in quickstart.db
//! cargo run --example quickstart            # finds everything linked, counts nothing twice
//! cargo run --example quickstart other.db   # another file
//! ```

#![expect(clippy::arithmetic_side_effects, reason = "the numbers of an example are small")]

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use tenure::store::sqlite::SqliteStore;
use tenure::{
    Correction, CustomerDraft, CustomerId, ErrorCode, FeatureDraft, Hints, LinkStatus, Onboard,
    Onboarded, Quantity, ResetPeriod, Tenure, TierDraft, TierFeature, Track,
};

const DIRECTORY: &str = include_str!("data/companies.csv");
const SIGN_UPS: &str = include_str!("data/signups.csv");

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "quickstart.db".to_owned());
    let tenure = Tenure::open(SqliteStore::open_or_create(&path)?)?;
    println!("everything is kept in {path}\n");

    define_catalogue(&tenure)?;
    let directory = load_directory(&tenure)?;
    let onboarded = onboard_sign_ups(&tenure, &directory)?;
    meter(&tenure, &onboarded)?;
    correct(&tenure, &onboarded)?;
    print_table(&tenure, &onboarded)?;

    let proof = tenure.verify(|_| ())?;
    println!(
        "\nverify: {} meters recomputed from {} usage events, {} differences",
        proof.meters,
        proof.events,
        proof.discrepancies.len()
    );
    println!("run it again: everything is linked already, and nothing counts twice");
    Ok(())
}

/// Two features and three tiers. Defining what is defined changes nothing.
fn define_catalogue(tenure: &Tenure) -> Result<()> {
    let credits = |limit: u32, included: u32| {
        let feature = TierFeature::new("ai_credits")?;
        Ok::<_, tenure::Malformed>(feature.limit(limit, ResetPeriod::Monthly).included(included))
    };
    let tiers = [
        TierDraft::new("free").name("Free").feature(credits(20, 20)?),
        TierDraft::new("starter").name("Starter").feature(credits(100, 50)?),
        TierDraft::new("pro")
            .name("Pro")
            .feature(credits(1_000, 500)?)
            .feature(TierFeature::new("sso")?),
    ];
    Ok(tenure.write(|tx| {
        let credits = FeatureDraft::default().name("AI credits").unit("credit");
        tx.define_feature("ai_credits", &credits)?;
        tx.define_feature("sso", &FeatureDraft::default().name("Single sign-on").kind("feature"))?;
        tiers.iter().try_for_each(|tier| tx.define_tier(tier).map(drop))
    })?)
}

/// The customers that are known already, by name.
fn load_directory(tenure: &Tenure) -> Result<HashMap<String, CustomerId>> {
    let mut rows = csv::Reader::from_reader(DIRECTORY.as_bytes());
    let rows: Vec<(String, String)> = rows.deserialize().collect::<Result<_, _>>()?;
    let (ids, new) = tenure.write(|tx| {
        let (mut ids, mut new) = (HashMap::new(), 0);
        for (name, domain) in &rows {
            let customer = if let Some(known) = tx.view().customer_by_name(name)? {
                known
            } else {
                new += 1;
                let draft = CustomerDraft::named(name).domain(domain.as_str()).status("active");
                tx.create_customer(&draft)?
            };
            ids.insert(name.clone(), customer.id);
        }
        Ok::<_, tenure::Error>((ids, new))
    })?;
    println!("directory: {} real companies, {new} of them new\n", ids.len());
    Ok(ids)
}

/// A sign-up, as the product reports it, and the directory's name for it, if it has one.
#[derive(serde::Deserialize)]
struct SignUp {
    external_org_id: String,
    company_name: String,
    domain: String,
    emails: String,
    known_as: String,
}

fn onboard_sign_ups(
    tenure: &Tenure,
    directory: &HashMap<String, CustomerId>,
) -> Result<Vec<Onboarded>> {
    let mut rows = csv::Reader::from_reader(SIGN_UPS.as_bytes());
    let sign_ups: Vec<SignUp> = rows.deserialize().collect::<Result<_, _>>()?;
    let tiers = ["free", "starter", "starter", "pro"];
    let requests = sign_ups.iter().zip(tiers.iter().cycle()).map(|(it, tier)| {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut hints = Hints::new();
        hints.company_name = text(&it.company_name);
        hints.domain = text(&it.domain);
        hints.emails = it.emails.split(';').filter_map(text).collect();
        Onboard::org(&it.external_org_id).hints(hints).tier(*tier)
    });

    let (mut shown, mut right, mut wrong, mut onboarded) = (HashMap::new(), 0, 0, Vec::new());
    let done = tenure.backfill(requests, |report| {
        progress("onboarding", report.row + 1, sign_ups.len());
        let (Some(sign_up), Ok(found)) = (sign_ups.get(report.row), report.outcome) else { return };
        if found.link_status == LinkStatus::Linked {
            let truth = directory.get(&sign_up.known_as);
            *(if truth == Some(&found.customer_id) { &mut right } else { &mut wrong }) += 1;
        }
        let example = match (found.link_status, found.suggestions.is_empty()) {
            (LinkStatus::Created, false) => "suggestions",
            (status, _) => status.as_str(),
        };
        let examples: &mut Vec<String> = shown.entry(example).or_default();
        if examples.len() < 4 {
            examples.push(describe(sign_up, &found));
        }
        onboarded.push(found);
    })?;
    println!(
        "{} sign-ups: {} created, {} linked, {} already linked, {} refused",
        done.rows, done.created, done.linked, done.already_linked, done.failed
    );
    if right + wrong > 0 {
        let known = sign_ups.iter().filter(|it| !it.known_as.is_empty()).count();
        println!(
            "of the links made now, {right} are right and {wrong} wrong; {known} were to be found"
        );
    }
    let meaning = [
        ("linked", "a customer that was known"),
        ("suggestions", "a new customer, and those that it may be as well"),
        ("created", "a new customer"),
        ("already_linked", "onboarded before"),
    ];
    for (what, means) in meaning {
        let Some(examples) = shown.get(what) else { continue };
        println!("\n  {what}: {means}");
        for example in examples {
            println!("    {example}");
        }
    }
    Ok(onboarded)
}

/// What was given, and what came of it.
fn describe(sign_up: &SignUp, found: &Onboarded) -> String {
    let given = [&sign_up.company_name, &sign_up.domain, &sign_up.emails];
    let given: Vec<&str> =
        given.into_iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
    let mut line = format!("{:<52} → {}", given.join(" · "), found.customer_name);
    if let Some(confidence) = found.confidence {
        let _ = write!(line, " ({:.0} %)", confidence * 100.0);
    }
    if let Some(best) = found.suggestions.first() {
        let _ = write!(line, "; is it {}? {}", best.customer_name, best.reason);
    }
    line
}

/// How far it is, where somebody is looking.
fn progress(what: &str, done: usize, all: usize) {
    if std::io::stdout().is_terminal() {
        print!("\r{what} {done:>3} of {all}\r");
        let _ = std::io::stdout().flush();
    }
}

/// Every organisation uses its credits, some more than they have; each call is then retried.
fn meter(tenure: &Tenure, onboarded: &[Onboarded]) -> Result<()> {
    let (mut counted, mut duplicates, mut refused) = (0, 0, 0);
    for (place, org) in onboarded.iter().enumerate() {
        progress("metering", place + 1, onboarded.len());
        let credits = u32::try_from(place % 7 * 6 + 1)?;
        for round in 0..4 {
            // The key makes the second call a retry of the first, whenever it is made.
            let track = Track::new(org.customer_id, "ai_credits")
                .quantity(credits)
                .key(format!("quickstart-{place}-{round}"));
            for _ in 0..2 {
                match tenure.track(&track) {
                    Ok(result) if result.duplicate => duplicates += 1,
                    Ok(_) => counted += 1,
                    Err(error) if error.code() == ErrorCode::PreconditionFailed => refused += 1,
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    println!(
        "metering: {counted} calls counted, {duplicates} recognised as retries, {refused} \
         refused at a limit"
    );
    Ok(())
}

/// A refund of the first call of the first organisation, and a correction of the second's usage.
fn correct(tenure: &Tenure, onboarded: &[Onboarded]) -> Result<()> {
    let [first, second, ..] = onboarded else { return Ok(()) };
    let refund = Correction::new(first.customer_id, "ai_credits", -1, "the answer was wrong");
    let refunded = tenure.write(|tx| tx.adjust_usage(&refund.clone().key("quickstart-refund")))?;
    let count = Correction::new(second.customer_id, "ai_credits", 12, "counted by hand");
    let set = tenure.write(|tx| tx.set_usage(&count.clone().key("quickstart-count")))?;
    let when = if refunded.duplicate { "made before" } else { "made now" };
    println!(
        "a refund: {} → {} credits; a correction: {} → {} credits ({when})\n",
        refunded.previous_usage, refunded.current_usage, set.previous_usage, set.current_usage
    );
    Ok(())
}

/// The customers that used the largest share of their credits.
fn print_table(tenure: &Tenure, onboarded: &[Onboarded]) -> Result<()> {
    let mut ids: Vec<CustomerId> = onboarded.iter().map(|it| it.customer_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut rows = tenure.read(|view| {
        let row = |id: &CustomerId| {
            let access = view.check(*id, "ai_credits")?;
            let share =
                access.quantity_limit.and_then(|limit| access.current_usage.percent_of(limit));
            Ok::<_, tenure::Error>((share.unwrap_or(0.0), view.customer(*id)?, access))
        };
        ids.iter().map(row).collect::<Result<Vec<_>, _>>()
    })?;
    rows.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.name.cmp(&b.1.name)));
    println!("{:<34} {:<8} {:>5} {:>6}  may use one more?", "customer", "tier", "used", "limit");
    let (top, step) = (rows.len().min(6), (rows.len() / 6).max(1));
    for (_, customer, access) in rows.iter().take(top).chain(rows.iter().skip(top).step_by(step)) {
        let limit =
            access.quantity_limit.map_or("–".to_owned(), |limit: Quantity| limit.to_string());
        let name: String = customer.name.as_str().chars().take(33).collect();
        let answer = access.reason.map_or("yes".to_owned(), |reason| format!("no: {reason}"));
        println!(
            "{name:<34} {:<8} {:>5} {limit:>6}  {answer}",
            customer.tier, access.current_usage
        );
    }
    Ok(())
}
