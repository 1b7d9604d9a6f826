//! What a check costs, beside a flag of a feature-flag engine and a look-up by hand, in one run.
//!
//! ```sh
//! cargo run --release --manifest-path benches/peers/Cargo.toml
//! ```
//!
//! The engine is Unleash's (`unleash-yggdrasil`): one flag with one constraint on the user, and a
//! context. It says yes or no; a check says as well what was used, what is left, until when, and what
//! would help.

#[path = "../../support/mod.rs"]
mod support;

use std::hint::black_box;
use support::floor::Floor;
use support::{CUSTOMERS, Result, filled, median, timed};
use tenure::store::sqlite::SqliteStore;
use tenure::{Tenure, Track};
use unleash_types::client_features::{
    ClientFeature, ClientFeatures, Constraint, Context, Operator, Strategy,
};
use unleash_yggdrasil::EngineState;

const ROUNDS: usize = 15;
const CHECKS: usize = 100_000;

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("tenure.db");
    let (tenure, customers) = filled(Tenure::builder(SqliteStore::create(&path)?))?;
    let floor = Floor::create(&folder.path().join("floor.db"), &customers)?;
    drop(tenure);
    let tenure = Tenure::builder(SqliteStore::open(&path)?).sole_writer().open()?;
    tenure.track(&Track::new(customers[0], "ai_credits"))?;
    let names: Vec<String> = (0..CUSTOMERS).map(|number| format!("org_{number}")).collect();
    let many = || customers.iter().cycle().take(CHECKS);

    let engine = engine(&names);
    let contexts: Vec<Context> = names.iter().map(|name| context(name)).collect();

    let mut sides: [(&str, Vec<f64>); 7] = [
        ("tenure, warm, one customer", Vec::new()),
        ("tenure, warm, 1,000 customers", Vec::new()),
        ("tenure, warm, by organisation", Vec::new()),
        ("tenure, in an open read", Vec::new()),
        ("by hand, prepared, in an open read", Vec::new()),
        ("unleash-yggdrasil, one flag", Vec::new()),
        ("the clock alone", Vec::new()),
    ];
    for _ in 0..ROUNDS {
        let spent = [
            timed(CHECKS, || {
                for _ in 0..CHECKS {
                    assert!(black_box(tenure.check(customers[7], "ai_credits")?).can_use);
                }
                Ok(())
            })?,
            timed(CHECKS, || {
                for customer in many() {
                    assert!(black_box(tenure.check(*customer, "ai_credits")?).can_use);
                }
                Ok(())
            })?,
            timed(CHECKS, || {
                for name in names.iter().cycle().take(CHECKS) {
                    assert!(black_box(tenure.check(name.as_str(), "ai_credits")?).can_use);
                }
                Ok(())
            })?,
            timed(CHECKS, || {
                tenure.read(|view| {
                    for customer in many() {
                        assert!(black_box(view.check(*customer, "ai_credits")?).can_use);
                    }
                    Ok::<_, tenure::Error>(())
                })?;
                Ok(())
            })?,
            timed(CHECKS, || floor.check(many()))?,
            timed(CHECKS, || {
                for context in contexts.iter().cycle().take(CHECKS) {
                    assert!(black_box(engine.is_enabled("ai_credits", context, &None)));
                }
                Ok(())
            })?,
            timed(CHECKS, || {
                for _ in 0..CHECKS {
                    black_box(tenure.now());
                }
                Ok(())
            })?,
        ];
        for ((_, rounds), spent) in sides.iter_mut().zip(spent) {
            rounds.push(spent);
        }
    }
    println!("{CUSTOMERS} customers; median of {ROUNDS} rounds; CPU time of one check\n");
    for (what, mut rounds) in sides {
        println!("{what:<40} {:>8.0} ns", median(&mut rounds));
    }
    Ok(())
}

/// An engine with one flag that is on for every customer by name.
fn engine(names: &[String]) -> EngineState {
    let constraint = Constraint {
        context_name: "userId".into(),
        operator: Operator::In,
        case_insensitive: false,
        inverted: false,
        values: Some(names.to_vec()),
        value: None,
    };
    let strategy = Strategy {
        name: "default".into(),
        segments: None,
        variants: None,
        constraints: Some(vec![constraint]),
        parameters: None,
        sort_order: None,
    };
    let feature = ClientFeature {
        name: "ai_credits".into(),
        enabled: true,
        strategies: Some(vec![strategy]),
        ..ClientFeature::default()
    };
    let engine = EngineState::default();
    engine.apply_client_features(ClientFeatures {
        version: 2,
        features: vec![feature],
        segments: None,
        query: None,
        meta: None,
    });
    engine
}

fn context(name: &str) -> Context {
    Context {
        user_id: Some(name.to_owned()),
        session_id: None,
        environment: Some("production".to_owned()),
        app_name: None,
        current_time: None,
        remote_address: None,
        properties: None,
    }
}
