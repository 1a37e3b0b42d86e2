//! The simulated online test beside the paper's (section 6.7).

use crate::export::markdown;
use crate::stats::Summary;
use crate::table::{Column, NONE, Table};
use crate::{Error, Result, format, models};
use ctr_core::{AB_TEST_SCHEMA_VERSION, AbArm, AbDay, AbTestRecord};
use std::path::Path;

/// What the paper reports of DIN against BaseModel, online from May to June 2017.
const PAPER_CTR_LIFT: f64 = 10.0;
const PAPER_RPM_LIFT: f64 = 3.8;

/// The file that `ab-test` writes beside the report.
pub(crate) const FILE: &str = "ab_test.json";

/// Reads the record of a test, if there is one in the folder.
pub(crate) fn read(folder: &Path) -> Result<Option<AbTestRecord>> {
    let path = folder.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Read { path, source }),
    };
    let fail = |reason: String| Error::Record { path: path.clone(), reason };
    let record: AbTestRecord =
        serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
    if record.schema_version > AB_TEST_SCHEMA_VERSION {
        let reason = format!("schema version {} is of a later program", record.schema_version);
        return Err(fail(reason));
    }
    Ok(Some(record))
}

/// The test as Markdown.
pub fn ab_test_markdown(record: &AbTestRecord) -> String {
    markdown::document("Online A/B test, simulated", &[table(record)], &[])
}

pub(crate) fn table(record: &AbTestRecord) -> Table {
    let mut columns = vec![Column::text("arm"), Column::text("ranked by")];
    columns.extend([
        Column::number("", "impressions"),
        Column::number("", "CTR"),
        Column::number("lift over A", "CTR"),
        Column::number("", "RPM"),
        Column::number("lift over A", "RPM"),
        Column::number("one request, one thread", "p50"),
        Column::number("one request, one thread", "p99"),
    ]);
    let base = record.arms.first();
    let mut rows: Vec<Vec<crate::table::Entry>> = vec![vec![
        "paper".into(),
        "DIN against BaseModel, online 2017".into(),
        NONE.into(),
        NONE.into(),
        format::percent(PAPER_CTR_LIFT).into(),
        NONE.into(),
        format::percent(PAPER_RPM_LIFT).into(),
        NONE.into(),
        "10 ms and less".into(),
    ]];
    for (index, arm) in record.arms.iter().enumerate() {
        let lift = |value: fn(&AbDay) -> f64| match base.filter(|_| index > 0) {
            Some(base) => lift_text(base, arm, value),
            None => NONE.into(),
        };
        let total = arm.total();
        let time = |of: fn(&ctr_core::Latency) -> f64| {
            arm.latency.as_ref().map_or(NONE.into(), |latency| format!("{:.2} ms", of(latency)))
        };
        rows.push(vec![
            arm.name.clone().into(),
            arm.model.as_deref().map_or("true click probability (ceiling)".into(), title).into(),
            format::count(total.impressions).into(),
            format!("{:.4}", total.ctr()).into(),
            lift(AbDay::ctr).into(),
            format!("{:.1}", total.rpm()).into(),
            lift(AbDay::rpm).into(),
            time(|latency| latency.p50_milliseconds).into(),
            time(|latency| latency.p99_milliseconds).into(),
        ]);
    }
    let days = base.map_or(0, |base| base.days.len());
    Table {
        id: "ab-test".into(),
        caption: format!(
            "Online A/B test, simulated: {} days behind those of {} (content {}), {} requests a day, each \
             with {} candidate ads of which that with the highest click probability × bid is shown. Users \
             are split by hash over the arms; clicks are drawn from the true probabilities.",
            days,
            record.dataset,
            crate::study::short(&record.content_sha256),
            format::count(u64::from(record.requests)),
            record.candidates,
        ),
        alert: Some("Simulated users: nobody clicked. The paper's row is of other users, ads and years.".into()),
        protocol: None,
        columns,
        rows,
        notes: vec![
            "Lifts: mean over days of the arm's daily value over that of A, ± half the 95% interval of that \
             mean (Student's t, days as samples)."
                .into(),
            "RPM: bids of clicked ads for a thousand impressions. The truth ranks by true probability × bid, \
             so it maximizes expected revenue, and no model can be expected to have a higher RPM; CTR is not \
             what any arm maximizes."
                .into(),
            format!("Seed {} of users, requests and clicks.", record.seed),
        ],
        sources: Vec::new(),
    }
}

/// `base_model, regularizer none` with the model's title.
fn title(model: &str) -> String {
    match model.split_once(", ") {
        Some((id, rest)) => format!("{}, {rest}", models::title(id)),
        None => models::title(model).to_string(),
    }
}

/// Mean relative lift over days with the half width of its 95 % interval, in percent.
fn lift_text(base: &AbArm, arm: &AbArm, value: fn(&AbDay) -> f64) -> String {
    let lifts: Vec<f64> = base
        .days
        .iter()
        .zip(&arm.days)
        .filter(|(base, _)| value(base) > 0.0)
        .map(|(base, day)| 100.0 * (value(day) / value(base) - 1.0))
        .collect();
    let Some(summary) = Summary::of(&lifts) else { return NONE.into() };
    let percent = format::percent(summary.mean);
    match summary.half_interval_95() {
        Some(half) => format!("{percent} ± {half:.2}%"),
        None => percent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(name: &str, clicks: &[u64]) -> AbArm {
        let day = |&clicks: &u64| AbDay { impressions: 100, clicks, revenue: clicks as f64 };
        AbArm {
            name: name.into(),
            model: Some("din, regularizer none".into()),
            run_id: None,
            days: clicks.iter().map(day).collect(),
            latency: None,
        }
    }

    #[test]
    fn lifts_are_means_over_days_with_their_interval() {
        // Lifts of 10 %, 20 % and 30 %: mean 20, standard deviation 10, 4.303 · 10 / √3.
        let text = lift_text(&arm("A", &[10, 10, 10]), &arm("B", &[11, 12, 13]), AbDay::ctr);
        assert_eq!(text, "+20.00% ± 24.84%");
        assert_eq!(lift_text(&arm("A", &[0]), &arm("B", &[1]), AbDay::ctr), NONE);
    }

    #[test]
    fn the_table_has_the_papers_row_and_every_arm() {
        let record = AbTestRecord {
            schema_version: AB_TEST_SCHEMA_VERSION,
            dataset: "alibaba-sim".into(),
            content_sha256: "0123456789".into(),
            seed: 1,
            requests: 300,
            candidates: 5,
            arms: vec![arm("A", &[10, 12]), arm("B", &[12, 15])],
        };
        let text = ab_test_markdown(&record);
        for part in ["+10.00%", "+3.80%", "DIN, regularizer none", "content 01234567"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
