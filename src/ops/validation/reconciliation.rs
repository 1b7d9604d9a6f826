//! Sources beside each other: each says of the same thing the same.

use super::raw::{Agreement, Raw};
use super::wide;
use crate::domain::customer::CustomerId;
use crate::domain::invoice::Invoice;
use crate::domain::money::Currency;
use crate::domain::mrr::CustomerRevenue;
use crate::domain::subscription::Subscription;
use crate::domain::ticket::SupportTicket;
use crate::domain::validation::{Check, Comparison, check_reconciliation};
use crate::error::Result;
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::View;
use std::collections::BTreeMap;

const REVENUE: Col = <CustomerRevenue as Stored>::TABLE.col("id");
const SUBSCRIBER: Col = <Subscription as Stored>::TABLE.col("customer_id");

/// What each source says that everybody brings now, in one currency.
#[derive(Default)]
struct Totals {
    subscriptions: i128,
    ledger: i128,
    known: i128,
}

impl View<'_> {
    /// Revenue by the subscriptions, by the movements and by what is known of each customer; usage
    /// by its counters and by its events; what was added up of activities, metrics, tickets and
    /// answers by the records of these. Also how many discrepancies there are.
    pub(super) fn reconciliation_check(
        &self,
        raw: &Raw,
        last_scores: Agreement,
    ) -> Result<(Check, u64)> {
        let mut totals: BTreeMap<&'static str, Totals> = BTreeMap::new();
        let mut discrepancies = 0_u64;
        self.each_customer_page(|view, page| {
            let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(()) };
            let (first, last) = (first.id, last.id);
            let mut sources: BTreeMap<(CustomerId, &'static str), Totals> = BTreeMap::new();
            let entry = |customer: CustomerId, currency: Currency| (customer, currency.code());
            for it in view.of_customers::<Subscription>(SUBSCRIBER, first, last)? {
                if let Some(mrr) = it.recurring_revenue() {
                    let sum = sources.entry(entry(it.customer_id, mrr.currency)).or_default();
                    sum.subscriptions = sum.subscriptions.saturating_add(mrr.amount.into());
                }
            }
            for it in view.movements_between(first, last)? {
                let sum = sources.entry(entry(it.customer_id, it.amount.currency)).or_default();
                sum.ledger = sum.ledger.saturating_add(it.amount.amount.into());
            }
            for state in view.of_customers::<CustomerRevenue>(REVENUE, first, last)? {
                for mrr in &state.mrr {
                    let sum = sources.entry(entry(state.id, mrr.currency)).or_default();
                    sum.known = sum.known.saturating_add(mrr.amount.into());
                }
            }
            for ((_, code), it) in sources {
                let differs = it.ledger != it.subscriptions || it.ledger != it.known;
                discrepancies = discrepancies.saturating_add(differs.into());
                let total = totals.entry(code).or_default();
                total.subscriptions = total.subscriptions.saturating_add(it.subscriptions);
                total.ledger = total.ledger.saturating_add(it.ledger);
                total.known = total.known.saturating_add(it.known);
            }
            Ok(())
        })?;
        let usage = self.verify_usage(|_| ())?;
        let differences = u64::try_from(usage.differences).unwrap_or(u64::MAX);
        discrepancies = discrepancies.saturating_add(differences);
        let mut figures = Vec::new();
        for (code, it) in totals {
            let ledger = Some(wide(it.ledger));
            let name = format!("MRR {code}: ledger, subscriptions");
            figures.push(Comparison::of(name, ledger, Some(wide(it.subscriptions))));
            let name = format!("MRR {code}: ledger, customers");
            figures.push(Comparison::of(name, ledger, Some(wide(it.known))));
        }
        let meters = u64::try_from(usage.meters).unwrap_or(u64::MAX);
        let agreements = [
            ("meters that agree with their events", Agreement::but(meters, differences)),
            ("days that agree with their activities", raw.days),
            ("pulses that agree with their activities", raw.pulses),
            ("latest metrics that agree with their series", raw.metrics),
            ("tickets that are found as open while they are", self.open_tickets()?),
            ("invoices that are found as unpaid while they are", self.unpaid_invoices()?),
            ("last NPS scores that agree with the responses", last_scores),
        ];
        for (name, agreement) in agreements {
            figures.extend(agreement.figure(name));
        }
        let wrong = agreements.iter().skip(1).map(|(_, it)| it.wrong());
        discrepancies = wrong.fold(discrepancies, u64::saturating_add);
        Ok((check_reconciliation(figures, discrepancies, &self.config().evidence), discrepancies))
    }

    /// Whether each ticket is found as open while its status says so.
    fn open_tickets(&self) -> Result<Agreement> {
        let mut found = Agreement::default();
        self.each(Query::all(), |it: SupportTicket| {
            found.add(it.open_for == it.status.is_open().then_some(it.customer_id));
            Ok(())
        })?;
        Ok(found)
    }

    /// Whether each invoice is found as unpaid while its status says so.
    fn unpaid_invoices(&self) -> Result<Agreement> {
        let mut found = Agreement::default();
        self.each(Query::all(), |it: Invoice| {
            found.add(it.unpaid_for == it.status.is_unpaid().then_some(it.customer_id));
            Ok(())
        })?;
        Ok(found)
    }
}
