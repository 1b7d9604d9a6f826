//! Whether both sides came to the same.

use crate::floor::Floor;
use crate::support::Result;
use std::path::Path;

/// What must be the same, by customer; ids that each side made for itself are left out.
const SAME: [(&str, &str); 7] = [
    ("customer", "id, health_score, risk_level, engagement_score, stage, status, version, updated_at"),
    ("health_state", "id, score, components, previous_score, previous_components"),
    (
        "health_record",
        "customer_id, calculated_at, score, grade, trend, previous_score, round(points, 6),
         round(coverage, 9), components, inputs, risk_factors, opportunities",
    ),
    (
        "churn_signal",
        "customer_id, kind, severity, description, metric, value, threshold, detected_at, closed_at,
         open_for",
    ),
    (
        "stage_transition",
        "customer_id, number, \"from\", \"to\", at, rule, reason, figures, triggered_by, performed_by",
    ),
    ("journey", "id, stage, since, furthest, moves, left_expanding_at, status_set_at, status_owed"),
    (
        "expansion_opportunity",
        "customer_id, open_for, kind, target_tier, estimated_value, probability, signals,
         recommended_action, timing, status, detected_at, updated_at",
    ),
];

pub fn compare(store: &Path, floor: &Floor) -> Result<()> {
    let db = floor.connection();
    db.execute("ATTACH ? AS ours", [store.to_str()])?;
    let mut rows = 0;
    let mut is_same = true;
    for (table, columns) in SAME {
        for (one, other) in [("ours", "main"), ("main", "ours")] {
            let sql = format!(
                "SELECT count(*), (SELECT count(*) FROM {one}.{table}) FROM
                     (SELECT {columns} FROM {one}.{table} EXCEPT SELECT {columns} FROM {other}.{table})"
            );
            let (differ, all): (i64, i64) =
                db.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows += all;
            if differ > 0 {
                println!("{table}: {differ} of {all} rows are only in {one}");
                is_same = false;
            }
        }
    }
    // What each told the world. The model that comes with tenure is announced once.
    let sql = "SELECT name, sum(side), sum(abs(side)) FROM
            (SELECT name, 1 AS side FROM ours.event WHERE sequence > (SELECT last FROM loaded)
             UNION ALL SELECT name, -1 FROM main.outbox)
        WHERE name <> 'metric.recorded' GROUP BY name";
    let mut told = db.prepare(sql)?;
    let told = told.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for row in told {
        let (name, more, all): (String, i64, i64) = row?;
        rows += all;
        if more != 0 && name != "health_model.defined" {
            println!("{name}: {more} more of {all}");
            is_same = false;
        }
    }
    assert!(is_same, "both sides came to the same");
    println!("\nboth came to the same: {rows} rows and events compared");
    Ok(())
}
