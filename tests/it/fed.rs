//! Orders, invoices and tickets: what the host tells is kept once, as it was told last.

use crate::support::{BEGINNING, World, code, eur, fields, holder};
use tenure::domain::facts::names;
use tenure::store::memory::MemoryStore;
use tenure::{
    Config, CustomerId, ErrorCode, InvoiceDraft, InvoiceStatus, Money, OrderDraft, OrderStatus,
    TicketDraft, TicketSeverity, TicketStatus,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

fn placed(euros: i64) -> OrderDraft {
    OrderDraft::default().total(eur(euros)).placed_at(BEGINNING)
}

fn opened() -> TicketDraft {
    TicketDraft::default().opened_at(BEGINNING)
}

fn billed() -> InvoiceDraft {
    InvoiceDraft::default().amount(eur(49))
}

fn figure(world: &World, id: CustomerId, name: &str) -> Option<f64> {
    world.seen(|view| view.customer_facts(id)).figure(name)
}

fn the_same_external_id_twice_is_one_record(world: &World) {
    let acme = world.customer("Acme").id;
    let told = world.told(|| {
        for _ in 0..2 {
            world.done(|tx| tx.upsert_order(acme, "o1", &placed(20)));
            world.done(|tx| tx.upsert_invoice(acme, "i1", &billed()));
            world.done(|tx| tx.upsert_ticket(acme, "t1", &opened()));
            world.clock.advance(Duration::HOUR);
        }
    });
    assert_eq!(told, ["order.recorded", "invoice.recorded", "ticket.recorded"]);
    let order = world.done(|tx| tx.upsert_order(acme, "o1", &OrderDraft::default().total(eur(30))));
    assert_eq!((order.total, order.placed_at), (eur(30), BEGINNING), "what is not named stays");
    let all = world.seen(|view| view.orders(acme, 10, None)).items;
    assert_eq!(all, std::slice::from_ref(&order));
    assert_eq!(world.seen(|view| view.order("o1")), order);
    assert_eq!((order.created_at, order.updated_at), (BEGINNING, world.clock.now()));
}

fn a_status_that_changes_is_told_with_both(world: &World) {
    let acme = world.customer("Acme").id;
    world.done(|tx| tx.upsert_order(acme, "o1", &placed(20)));
    let status = |status: &str| {
        let draft = OrderDraft::default().status(status);
        world.told(|| world.done(|tx| tx.upsert_order(acme, "o1", &draft)))
    };
    assert_eq!(status("Completed"), ["order.status_changed"]);
    assert_eq!(status("completed"), Vec::<String>::new());
    assert_eq!(status("refunded"), ["order.status_changed"]);
    let event = crate::support::events(&world.tenure).pop().unwrap();
    assert_eq!((&event.data["from"], &event.data["to"]), (&"completed".into(), &"refunded".into()));
    assert_eq!(world.seen(|view| view.order("o1")).status, OrderStatus::Refunded);
}

fn an_external_id_of_another_customer_is_taken(world: &World) {
    let acme = world.customer("Acme").id;
    let globex = world.customer("Globex").id;
    world.done(|tx| tx.upsert_order(acme, "1", &placed(20)));
    world.done(|tx| tx.upsert_ticket(globex, "1", &opened()));
    let error = world.refused(|tx| tx.upsert_order(globex, "1", &placed(20)));
    assert_eq!(error.code(), ErrorCode::Conflict);
    assert_eq!(holder(error), acme.to_string());
    for unknown in ["2", "", "\0"] {
        assert_eq!(code(world.tenure.read(|view| view.invoice(unknown))), ErrorCode::NotFound);
    }
}

fn every_fault_is_found_at_once(world: &World) {
    let acme = world.customer("Acme").id;
    let future = BEGINNING + Duration::DAY;
    let missing = world.refused(|tx| tx.upsert_order(acme, "o", &OrderDraft::default()));
    assert_eq!(fields(&missing), ["total", "placedAt"]);
    let worst = Money::new(i64::MIN, "EUR".parse().unwrap());
    let bad = OrderDraft::default().total(worst).placed_at(future).status("eaten");
    let error = world.refused(|tx| tx.upsert_order(acme, "a\0", &bad));
    assert_eq!(fields(&error), ["externalId", "total", "placedAt", "status"]);
    let bad = InvoiceDraft::default()
        .amount(worst)
        .issued_at(future)
        .due_at(datetime!(-9999-01-01 0:00 UTC))
        .paid_at(future)
        .status("eaten");
    let error = world.refused(|tx| tx.upsert_invoice(acme, "i", &bad));
    assert_eq!(fields(&error), ["amount", "issuedAt", "dueAt", "paidAt", "status", "paidAt"]);
    let unpaid = billed().status("paid");
    assert_eq!(fields(&world.refused(|tx| tx.upsert_invoice(acme, "i", &unpaid))), ["paidAt"]);
    let bad = TicketDraft::default()
        .severity("mild")
        .status("eaten")
        .subject("\0")
        .csat(0_i64)
        .resolved_at(future);
    let error = world.refused(|tx| tx.upsert_ticket(acme, "t", &bad));
    let wrong = ["openedAt", "severity", "status", "subject", "csat", "resolvedAt", "resolvedAt"];
    assert_eq!(fields(&error), wrong);
    for csat in [6, i64::MAX, i64::MIN] {
        let error = world.refused(|tx| tx.upsert_ticket(acme, "t", &opened().csat(csat)));
        assert_eq!(fields(&error), ["csat"]);
    }
    let early = opened().status("closed").resolved_at(BEGINNING - Duration::SECOND);
    assert_eq!(fields(&world.refused(|tx| tx.upsert_ticket(acme, "t", &early))), ["resolvedAt"]);
    assert!(world.refused(|tx| tx.upsert_order("nobody", "o", &placed(1))).is_not_found());
}

fn a_ticket_that_is_opened_again_is_not_resolved(world: &World) {
    let acme = world.customer("Acme").id;
    let solved = opened().severity("urgent").status("solved").resolved_at(BEGINNING).csat(2_i64);
    let ticket = world.done(|tx| tx.upsert_ticket(acme, "t", &solved));
    assert_eq!((ticket.severity, ticket.status), (TicketSeverity::Urgent, TicketStatus::Resolved));
    assert_eq!(figure(world, acme, names::OPEN_TICKETS), Some(0.0));
    let again = TicketDraft::default().status("in-progress").escalated(true);
    let ticket = world.done(|tx| tx.upsert_ticket(acme, "t", &again));
    assert_eq!((ticket.status, ticket.resolved_at), (TicketStatus::Pending, None));
    for name in [names::OPEN_TICKETS, names::HIGH_SEVERITY_TICKETS, names::ESCALATIONS] {
        assert_eq!(figure(world, acme, name), Some(1.0), "{name}");
    }
    assert_eq!(figure(world, acme, names::AVG_CSAT), Some(2.0));
}

fn a_rating_that_is_changed_counts_as_it_is(world: &World) {
    let acme = world.customer("Acme").id;
    let rate = |id: &str, csat: Option<i64>| {
        world.done(|tx| tx.upsert_ticket(acme, id, &opened().csat(csat)));
        figure(world, acme, names::AVG_CSAT)
    };
    assert_eq!(rate("t1", None), None);
    assert_eq!(rate("t1", Some(5)), Some(5.0));
    assert_eq!(rate("t2", Some(2)), Some(3.5));
    assert_eq!(rate("t1", Some(1)), Some(1.5));
    assert_eq!(rate("t1", None), Some(2.0));
    world.clock.advance(Duration::days(90));
    assert_eq!(figure(world, acme, names::AVG_CSAT), Some(2.0));
    world.clock.advance(Duration::days(1));
    assert_eq!(figure(world, acme, names::AVG_CSAT), None, "what was long ago says nothing");
}

fn payments_are_judged_by_their_due_dates(world: &World) {
    let acme = world.customer("Acme").id;
    let due = |days: i64| BEGINNING + Duration::days(days);
    let tell = |id: &str, draft: InvoiceDraft| {
        world.done(|tx| tx.upsert_invoice(acme, id, &draft));
        let names = [names::PAYMENT_HEALTH, names::FAILED_PAYMENTS];
        names.map(|name| figure(world, acme, name))
    };
    let paid = |at: OffsetDateTime| InvoiceDraft::default().status("paid").paid_at(at);
    assert_eq!(tell("i1", billed().due_at(due(0))), [None, Some(0.0)], "not due before it is over");
    assert_eq!(tell("i1", paid(due(0))), [Some(1.0), Some(0.0)]);
    assert_eq!(tell("i2", billed().due_at(due(-2))), [Some(0.5), Some(0.0)], "overdue");
    assert_eq!(tell("i2", billed().status("failed")), [Some(0.5), Some(1.0)]);
    assert_eq!(tell("i2", paid(due(-1))), [Some(0.5), Some(0.0)], "late");
    assert_eq!(tell("i2", paid(due(-2))), [Some(1.0), Some(0.0)], "as is heard now, in time");
    assert_eq!(tell("i3", billed().status("uncollectible")), [Some(2.0 / 3.0), Some(0.0)]);
    assert_eq!(tell("i3", InvoiceDraft::default().status("void")), [Some(1.0), Some(0.0)]);
    let open =
        world.done(|tx| tx.upsert_invoice(acme, "i1", &InvoiceDraft::default().status("open")));
    assert_eq!((open.status, open.paid_at), (InvoiceStatus::Open, None), "charged back");
}

fn a_cancellation_is_asked_for_once_and_can_be_withdrawn(world: &World) {
    let acme = world.customer("Acme").id;
    let asked = || world.seen(|view| view.customer_facts(acme)).cancellation_requested_at;
    let told = world.told(|| {
        world.done(|tx| tx.request_cancellation(acme, " Too expensive "));
        world.clock.advance(Duration::DAY);
        let customer = world.done(|tx| tx.request_cancellation(acme, "Again"));
        assert_eq!(customer.cancellation_reason.unwrap().as_str(), "Too expensive");
        assert_eq!(asked(), Some(BEGINNING), "since it first did");
        world.done(|tx| tx.withdraw_cancellation(acme));
        world.done(|tx| tx.withdraw_cancellation(acme));
    });
    assert_eq!(told, ["customer.cancellation_requested", "customer.cancellation_withdrawn"]);
    assert_eq!(asked(), None);
    for reason in ["", " \t", "\0", &"x".repeat(10_001)] {
        let error = world.refused(|tx| tx.request_cancellation(acme, reason));
        assert_eq!(fields(&error), ["reason"]);
    }
}

#[test]
fn a_competitor_is_found_in_the_subject_unless_the_host_knows_better() {
    let mut config = Config::default();
    config.competitors = vec!["Drift".into(), "Big Co".into()];
    let world = World::over(MemoryStore::new(), |builder| builder.config(config));
    let acme = world.customer("Acme").id;
    let tell = |id: &str, draft: TicketDraft| {
        world.done(|tx| tx.upsert_ticket(acme, id, &draft)).competitor_mentioned
    };
    let mentioned = || world.seen(|view| view.customer_facts(acme)).competitor_mentioned_at;
    assert!(!tell("t1", opened().subject("The clock is drifting")));
    assert_eq!(mentioned(), None);
    assert!(tell("t1", TicketDraft::default().subject("Can we import from DRIFT?")));
    assert!(tell("t1", TicketDraft::default().severity("low")));
    assert_eq!(mentioned(), Some(BEGINNING));
    assert!(!tell("t1", TicketDraft::default().competitor_mentioned(false)));
    assert!(!tell("t1", TicketDraft::default().severity("high")), "as the host has it");
    assert!(tell("t2", opened().competitor_mentioned(true)));
    assert!(tell("t2", TicketDraft::default().status("closed")));
    assert_eq!(mentioned(), None, "only while it is open");
}

stories! {
    the_same_external_id_twice_is_one_record,
    a_status_that_changes_is_told_with_both,
    an_external_id_of_another_customer_is_taken,
    every_fault_is_found_at_once,
    a_ticket_that_is_opened_again_is_not_resolved,
    a_rating_that_is_changed_counts_as_it_is,
    payments_are_judged_by_their_due_dates,
    a_cancellation_is_asked_for_once_and_can_be_withdrawn,
}
