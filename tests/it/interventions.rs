//! Interventions: what is due is said once, what people do is noted, silence climbs the path.

use crate::churn::facts;
use crate::support::{BEGINNING, World, events, race};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tenure::channel::FakeChannel;
use tenure::domain::facts::names;
use tenure::store::memory::MemoryStore;
use tenure::{
    ActionDraft, ActionStatus, ActionTiming, Channel, ChannelFailure, ChannelKind, Condition,
    ContactDraft, CustomerAction, CustomerDraft, CustomerId, Delivered, ErrorCode, Intervention,
    InterventionAction, InterventionStatus, OfferAnswer, OutboundMessage, PlaybookDraft,
    SignalKind, Tenure, UserDraft,
};
use time::Duration;

use ActionStatus::{Done, Executing, Failed, Scheduled, Skipped, Waiting};

/// The same world, seen by a handle that speaks through a channel.
fn speaking(channel: impl Channel + 'static) -> World {
    World::over(MemoryStore::new(), |builder| builder.channel(channel))
}

fn begun(world: &World, signal: SignalKind) -> (CustomerId, Intervention) {
    let id = world.customer("Acme").id;
    (id, world.done(|tx| tx.start_intervention(id, signal)))
}

fn actions(world: &World, of: &Intervention) -> Vec<InterventionAction> {
    world.seen(|view| view.intervention_actions(of.id))
}

fn statuses(world: &World, of: &Intervention) -> Vec<ActionStatus> {
    actions(world, of).into_iter().map(|it| it.status).collect()
}

fn said(channel: &FakeChannel) -> Vec<String> {
    channel.messages().into_iter().map(|it| it.action.to_string()).collect()
}

fn ticked(world: &World) -> (usize, usize, usize, usize) {
    let done = world.tenure.tick().unwrap();
    (
        done.actions_executed,
        done.actions_announced,
        done.actions_failed,
        done.interventions_escalated,
    )
}

#[test]
fn a_silent_customer_is_written_to_at_once_and_called_when_it_stays_silent() {
    let channel = FakeChannel::new();
    let world = speaking(channel.clone());
    let (_, course) = begun(&world, SignalKind::NoLogin7Days);
    assert_eq!(world.seen(|view| view.next_due()), Some(BEGINNING));
    assert_eq!(ticked(&world), (1, 0, 0, 0));
    assert_eq!(said(&channel), ["send_reengagement_email"]);
    assert_eq!(statuses(&world, &course), [Done, Waiting, Scheduled]);
    assert_eq!(world.seen(|view| view.next_due()), Some(BEGINNING + Duration::hours(48)));
    world.clock.advance(Duration::hours(48));
    assert_eq!(ticked(&world), (1, 0, 0, 1), "called, and the manager is told");
    assert_eq!(said(&channel)[1], "check_in_call");
    assert_eq!(statuses(&world, &course), [Done, Waiting, Executing]);
    assert_eq!(ticked(&world), (0, 0, 0, 0));
    assert_eq!(world.seen(|view| view.next_due()), None, "it is with a person now");
}

#[test]
fn a_message_knows_whom_it_is_for_and_in_whose_name() {
    let channel = FakeChannel::new();
    let world = speaking(channel.clone());
    world.done(|tx| {
        let mia = UserDraft::default().name("Mia Park").email("mia@example.com");
        let mia = tx.register_user("mia", &mia.calendar_link("https://cal.example.com/mia"))?;
        let acme = tx.create_customer(&CustomerDraft::named("Acme").csm_id(mia.id))?;
        tx.upsert_contact(acme.id, &ContactDraft::at("ada@acme.com").name("Ada King"))?;
        tx.start_intervention(acme.id, SignalKind::NoLogin7Days)
    });
    ticked(&world);
    let message = channel.messages().remove(0);
    assert_eq!(message.channel, ChannelKind::Email);
    assert_eq!(message.template.unwrap().as_str(), "reengagement_7_days");
    assert_eq!(message.recipient.unwrap().email.unwrap().to_string(), "ada@acme.com");
    assert_eq!(message.owner.unwrap().name.as_str(), "Mia Park");
    let known: Vec<_> = message.variables.iter().map(|(k, v)| (*k, v.as_str())).collect();
    assert_eq!(
        known,
        [
            ("calendar_link", "https://cal.example.com/mia"),
            ("csm_email", "mia@example.com"),
            ("csm_name", "Mia Park"),
            ("current_plan", "free"),
            ("customer_name", "Acme"),
            ("first_name", "Ada"),
            ("signal", "no_login_7_days"),
        ]
    );
}

fn without_a_channel_what_is_due_is_announced_once_and_done_by_hand(world: &World) {
    let (_, course) = begun(world, SignalKind::NpsDetractor);
    let told = world.told(|| assert_eq!(ticked(world), (0, 1, 0, 0)));
    assert_eq!(told, ["intervention.action_due"]);
    assert_eq!(ticked(world), (0, 0, 0, 0));
    assert_eq!(statuses(world, &course), [Scheduled, Waiting, Scheduled], "it stays due");
    let due = events(&world.tenure).pop().unwrap();
    assert_eq!(due.data["action"], "feedback_call");
    assert_eq!(due.data["deadline"], "2026-02-01T12:00:00Z");
    let first = actions(world, &course)[0].id;
    world.clock.advance(Duration::HOUR);
    let done = world.done(|tx| tx.complete_action(first, Some("they miss reports")));
    assert_eq!((done.status, done.note.unwrap().as_str()), (Done, "they miss reports"));
    assert!(world.told(|| world.done(|tx| tx.complete_action(first, None))).is_empty());
    assert_eq!(ticked(world), (0, 1, 0, 0), "what follows is due");
    let refused = world.refused(|tx| tx.skip_action(first, "no"));
    assert_eq!(refused.code(), ErrorCode::Unprocessable);
}

fn an_action_is_said_once_however_many_handles_tick(world: &World) {
    let channel = FakeChannel::new();
    let store = MemoryStore::new();
    let clock = world.clock.clone();
    let speaker = Tenure::builder(store).clock(move || clock.now()).channel(channel.clone());
    let speaker = speaker.open().unwrap();
    for number in 0..60 {
        let draft = CustomerDraft::named(format!("Customer {number}"));
        let begin = |tx: &mut tenure::Tx<'_>| {
            let id = tx.create_customer(&draft)?.id;
            tx.start_intervention(id, SignalKind::FailedPayment)
        };
        speaker.write(begin).unwrap();
    }
    let executed = race(4, |_| speaker.tick().unwrap().actions_executed);
    assert_eq!((executed.iter().sum::<usize>(), channel.calls()), (60, 60));
}

fn silence_climbs_the_path_and_a_response_stops_it(world: &World) {
    let (_, silent) = begun(world, SignalKind::CancellationRequest);
    let now = |of: &Intervention| world.seen(|view| view.intervention(of.id));
    let told = || now(&silent).escalated_to.map(|role| role.to_string());
    assert_eq!((told(), silent.escalates_at), (None, Some(BEGINNING + Duration::hours(2))));
    world.clock.advance(Duration::hours(2));
    assert_eq!(ticked(world).3, 1);
    assert_eq!(told().as_deref(), Some("cs_manager"));
    world.clock.advance(Duration::days(9));
    assert_eq!(ticked(world).3, 1, "a late tick gives everybody the same time");
    assert_eq!((told().as_deref(), now(&silent).level), (Some("executive"), 2));
    world.clock.advance(Duration::days(9));
    assert_eq!(ticked(world).3, 0, "there is nobody above");

    let other = world.customer("Globex").id;
    let heard = world.done(|tx| tx.start_intervention(other, SignalKind::NpsDetractor));
    world.done(|tx| tx.record_response(heard.id, "we are looking at it"));
    world.clock.advance(Duration::days(9));
    assert_eq!(ticked(world).3, 0);
    assert_eq!(now(&heard).level, 0);
}

fn a_response_makes_the_call_for_the_silent_needless(world: &World) {
    let (_, course) = begun(world, SignalKind::NoLogin7Days);
    let responded = world.done(|tx| tx.record_response(course.id, "on holiday"));
    assert_eq!(responded.responded_at, Some(BEGINNING));
    assert_eq!(statuses(world, &course), [Scheduled, Waiting, Skipped]);
    let again = || world.done(|tx| tx.record_response(course.id, "on holiday"));
    assert!(world.told(again).is_empty());
    world.clock.advance(Duration::HOUR);
    let more = world.done(|tx| tx.record_response(course.id, "back on Monday"));
    assert_eq!(more.responded_at, Some(BEGINNING), "the first counts");
}

fn an_offer_that_is_rejected_goes_to_the_executive(world: &World) {
    let (_, course) = begun(world, SignalKind::CancellationRequest);
    let ids: Vec<_> = actions(world, &course).into_iter().map(|it| it.id).collect();
    world.done(|tx| tx.complete_action(ids[0], None));
    world.done(|tx| tx.complete_action(ids[1], Some("too expensive")));
    assert_eq!(statuses(world, &course), [Done, Done, Waiting, Waiting]);
    world.done(|tx| tx.record_offer(course.id, OfferAnswer::Open));
    assert_eq!(statuses(world, &course), [Done, Done, Scheduled, Waiting]);
    world.done(|tx| tx.record_offer(course.id, OfferAnswer::Rejected));
    assert_eq!(statuses(world, &course), [Done, Done, Done, Scheduled]);
    let end = |outcome| world.done(|tx| tx.finish_intervention(course.id, outcome, "they left"));
    assert_eq!(end(InterventionStatus::Failed).status, InterventionStatus::Failed);
    assert_eq!(statuses(world, &course), [Done, Done, Done, Skipped]);
    assert!(world.told(|| end(InterventionStatus::Failed)).is_empty());
    let succeed = InterventionStatus::Succeeded;
    let refused = world.refused(|tx| tx.finish_intervention(course.id, succeed, ""));
    assert_eq!(refused.code(), ErrorCode::Unprocessable);
    assert_eq!(
        world.refused(|tx| tx.record_offer(course.id, OfferAnswer::Open)).code(),
        ErrorCode::Unprocessable
    );
}

#[test]
fn a_login_brings_the_welcome_although_it_ends_the_silence() {
    let channel = FakeChannel::new();
    let world = speaking(channel.clone());
    let acme = world.customer("Acme");
    let silent = |world: &World, days| {
        let facts = facts(world, &acme, &[(names::DAYS_SINCE_LAST_LOGIN, days)]);
        world.done(|tx| tx.evaluate_signals(&facts))
    };
    silent(&world, 8.0);
    ticked(&world);
    world.clock.advance(Duration::DAY);
    silent(&world, 9.0);
    assert_eq!(said(&channel), ["send_reengagement_email"]);
    world.clock.advance(Duration::hours(20));
    silent(&world, 0.1);
    let course = world.seen(|view| view.interventions(acme.id, 1, None)).items.remove(0);
    assert_eq!(course.status, InterventionStatus::Succeeded);
    assert_eq!(statuses(&world, &course), [Done, Scheduled, Skipped]);
    ticked(&world);
    assert_eq!(said(&channel), ["send_reengagement_email", "welcome_back_message"]);
    assert_eq!(statuses(&world, &course), [Done, Done, Skipped]);
}

#[test]
fn what_the_channel_does_not_take_is_tried_again_later_with_the_same_id() {
    let channel = FakeChannel::new();
    let world = speaking(channel.clone());
    let (_, course) = begun(&world, SignalKind::NoLogin7Days);
    channel.fail(1, ChannelFailure::Failed("mail server\0 down".to_owned()));
    assert_eq!(ticked(&world), (0, 0, 0, 0));
    let action = actions(&world, &course).remove(0);
    assert_eq!((action.status, action.attempts), (Scheduled, 1));
    assert_eq!(action.reference.unwrap().as_str(), "mail server down");
    assert_eq!(world.seen(|view| view.next_due()), Some(BEGINNING + Duration::seconds(30)));
    channel.lose_answers(1);
    world.clock.advance(Duration::seconds(30));
    assert_eq!(ticked(&world).0, 0, "taken, but the answer was lost");
    world.clock.advance(Duration::minutes(1));
    assert_eq!(ticked(&world).0, 1);
    assert_eq!((channel.calls(), channel.messages().len()), (3, 1), "the same, under one id");
    assert_eq!(channel.messages()[0].id, action.id.uuid());
}

#[test]
fn what_is_refused_or_failed_too_often_is_told_and_can_be_done_by_hand() {
    let channel = FakeChannel::new();
    let world = speaking(channel.clone());
    let (_, course) = begun(&world, SignalKind::NpsDetractor);
    channel.fail(1, ChannelFailure::Refused("no such person".to_owned()));
    assert_eq!(ticked(&world), (1, 0, 1, 0), "what follows goes on");
    assert_eq!(statuses(&world, &course), [Failed, Executing, Scheduled]);
    let first = actions(&world, &course)[0].id;
    assert_eq!(world.done(|tx| tx.complete_action(first, Some("by post"))).status, Done);

    let other = world.customer("Globex").id;
    let course = world.done(|tx| tx.start_intervention(other, SignalKind::FailedPayment));
    channel.fail(usize::MAX, ChannelFailure::Failed("down".to_owned()));
    let mut failed = 0;
    for _ in 0..20 {
        failed += ticked(&world).2;
        world.clock.advance(Duration::hours(1));
    }
    assert_eq!((failed, actions(&world, &course)[0].attempts), (1, 10));
    assert_eq!(statuses(&world, &course)[0], Failed);
}

/// A channel of a host that does what it likes.
struct Odd<F>(F);

impl<F: Fn(&OutboundMessage) -> Result<Delivered, ChannelFailure> + Send + Sync> Channel
    for Odd<F>
{
    fn deliver(&self, message: &OutboundMessage) -> Result<Delivered, ChannelFailure> {
        (self.0)(message)
    }
}

#[test]
fn a_channel_that_panics_has_failed_and_nothing_else_suffers() {
    let channel = Odd(|message: &OutboundMessage| match message.customer.name.as_str() {
        "Acme" => panic!("a bug of the host's"),
        _ => Ok(Delivered::done().reference("x".repeat(100_000) + "\0")),
    });
    let world = speaking(channel);
    let (_, course) = begun(&world, SignalKind::FailedPayment);
    let other = world.customer("Globex").id;
    let sound = world.done(|tx| tx.start_intervention(other, SignalKind::FailedPayment));
    assert_eq!(ticked(&world).0, 1);
    assert_eq!(actions(&world, &course)[0].attempts, 1);
    let reference = actions(&world, &sound)[0].reference.clone().unwrap();
    assert_eq!(reference.as_str().len(), 1_000);
}

#[test]
fn a_slow_channel_does_not_keep_a_tick_for_ever_and_nothing_is_lost() {
    let clock = crate::support::Clock::at(BEGINNING);
    let (shown, slow, calls) =
        (clock.clone(), clock.clone(), std::sync::Arc::new(AtomicUsize::new(0)));
    let counted = std::sync::Arc::clone(&calls);
    let channel = Odd(move |_: &OutboundMessage| {
        slow.advance(Duration::seconds(25));
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(Delivered::done())
    });
    let builder = Tenure::builder(MemoryStore::new()).clock(move || shown.now());
    let tenure = builder.channel(channel).open().unwrap();
    for number in 0..10 {
        let draft = CustomerDraft::named(format!("Customer {number}"));
        tenure
            .write(|tx| {
                let id = tx.create_customer(&draft)?.id;
                tx.start_intervention(id, SignalKind::NoLogin7Days)
            })
            .unwrap();
    }
    assert_eq!(tenure.tick().unwrap().actions_executed, 3, "75 seconds");
    let mut executed = 3;
    for _ in 0..4 {
        executed += tenure.tick().unwrap().actions_executed;
    }
    assert_eq!((executed, calls.load(Ordering::SeqCst)), (10, 10));
}

#[test]
fn a_deliverer_that_comes_back_too_late_has_only_facts_to_add() {
    let clock = crate::support::Clock::at(BEGINNING);
    let (shown, slow) = (clock.clone(), clock.clone());
    let taken = std::sync::Arc::new(Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&taken);
    let again: std::sync::Arc<Mutex<Option<Tenure>>> = std::sync::Arc::default();
    let other = std::sync::Arc::clone(&again);
    let channel = Odd(move |message: &OutboundMessage| {
        seen.lock().unwrap().push(message.id);
        // The first is so slow that another takes over meanwhile.
        let takes_over = other.lock().unwrap().take();
        if let Some(tenure) = takes_over {
            slow.advance(Duration::minutes(6));
            assert_eq!(tenure.tick().unwrap().actions_executed, 1);
        }
        Ok(Delivered::done())
    });
    let builder = Tenure::builder(MemoryStore::new()).clock(move || shown.now());
    let tenure = builder.channel(channel).open().unwrap();
    *again.lock().unwrap() = Some(tenure.clone());
    let course = tenure
        .write(|tx| {
            let id = tx.create_customer(&CustomerDraft::named("Acme"))?.id;
            tx.start_intervention(id, SignalKind::NoLogin7Days)
        })
        .unwrap();
    assert_eq!(tenure.tick().unwrap().actions_executed, 0, "it is done already");
    let taken = taken.lock().unwrap();
    assert_eq!((taken.len(), taken[0]), (2, taken[1]), "twice, under the same id");
    let actions = tenure.read(|view| view.intervention_actions(course.id)).unwrap();
    assert_eq!(actions[0].status, Done);
}

#[test]
fn nobody_speaks_with_a_customer_that_left_or_was_deleted() {
    let channel = FakeChannel::new();
    let world = speaking(channel.clone());
    let (acme, left) = begun(&world, SignalKind::FailedPayment);
    let globex = world.customer("Globex").id;
    let deleted = world.done(|tx| tx.start_intervention(globex, SignalKind::NpsDetractor));
    world.done(|tx| tx.move_customer(acme, CustomerAction::Churn));
    world.done(|tx| tx.delete_customer(globex));
    world.clock.advance(Duration::days(9));
    ticked(&world);
    assert_eq!(channel.calls(), 0);
    let status = |of: &Intervention| world.seen(|view| view.intervention(of.id)).status;
    assert_eq!(status(&left), InterventionStatus::Failed);
    assert_eq!(status(&deleted), InterventionStatus::Cancelled);
    assert!(statuses(&world, &left).iter().all(|it| *it == Skipped));
    assert_eq!(world.seen(|view| view.next_due()), None);
}

fn there_is_one_intervention_for_a_customer_and_signal(world: &World) {
    let (id, first) = begun(world, SignalKind::FailedPayment);
    assert_eq!(world.done(|tx| tx.start_intervention(id, SignalKind::FailedPayment)), first);
    let facts = facts(world, &world.now(id), &[(names::FAILED_PAYMENTS, 1.0)]);
    let told = world.told(|| world.done(|tx| tx.evaluate_signals(&facts)));
    assert!(!told.contains(&"intervention.started".to_owned()), "{told:?}");
    let other = world.done(|tx| tx.start_intervention(id, SignalKind::NpsDetractor));
    assert_ne!(other.id, first.id);
    let many = race(4, |_| {
        world.tenure.write(|tx| tx.start_intervention(id, SignalKind::UsageDrop50)).unwrap().id
    });
    assert!(many.iter().all(|it| *it == many[0]));
}

fn an_intervention_keeps_the_playbook_that_it_was_started_with(world: &World) {
    let (_, first) = begun(world, SignalKind::FailedPayment);
    let call = ActionDraft::new("payment_call", ChannelKind::Call, ActionTiming::within_hours(4));
    let draft = PlaybookDraft::new(SignalKind::FailedPayment).name("Ours").action(call);
    let ours = world.done(|tx| tx.define_playbook(&draft));
    assert_eq!((ours.version, ours.owner.as_str()), (2, "csm"));
    let again = || world.done(|tx| tx.define_playbook(&draft));
    assert!(world.told(again).is_empty());
    assert_eq!(actions(world, &first).len(), 4);
    let version = |it| world.seen(|view| view.playbook_version(SignalKind::FailedPayment, it));
    assert_eq!(version(1).id, first.playbook_id);
    assert_eq!(world.seen(|view| view.playbook(SignalKind::FailedPayment)), ours);
    let other = world.customer("Globex").id;
    let second = world.done(|tx| tx.start_intervention(other, SignalKind::FailedPayment));
    assert_eq!((second.playbook_id, actions(world, &second).len()), (ours.id, 1));
    assert_eq!(world.seen(|view| view.playbooks()).len(), SignalKind::ALL.len());
    let missing = world.tenure.read(|view| view.playbook_version(SignalKind::FailedPayment, 3));
    assert_eq!(missing.unwrap_err().code(), ErrorCode::NotFound);
}

fn an_intervention_follows_the_customers_csm(world: &World) {
    let (mia, bob) = world.done(|tx| {
        let named = |name: &str| UserDraft::default().name(name);
        Ok((tx.register_user("mia", &named("Mia"))?.id, tx.register_user("bob", &named("Bob"))?.id))
    });
    let draft = CustomerDraft::named("Acme").csm_id(mia);
    let id = world.done(|tx| tx.create_customer(&draft)).id;
    world.done(|tx| tx.start_intervention(id, SignalKind::NpsDetractor));
    let of = |csm| world.seen(|view| view.interventions_of(csm, 10, None)).items.len();
    assert_eq!((of(mia), of(bob)), (1, 0));
    world.done(|tx| tx.reassign(mia, bob));
    assert_eq!((of(mia), of(bob)), (0, 1));
    world.done(|tx| tx.update_customer(id, &CustomerDraft::default().csm_id(mia)));
    assert_eq!((of(mia), of(bob)), (1, 0));
}

fn what_a_person_notes_is_checked(world: &World) {
    let (_, course) = begun(world, SignalKind::NpsDetractor);
    let action = actions(world, &course)[0].id;
    for bad in ["a\0b".to_owned(), "x".repeat(10_001)] {
        let code = |error: tenure::Error| error.code();
        assert_eq!(
            code(world.refused(|tx| tx.complete_action(action, Some(&bad)))),
            ErrorCode::BadRequest
        );
        assert_eq!(code(world.refused(|tx| tx.skip_action(action, &bad))), ErrorCode::BadRequest);
        assert_eq!(
            code(world.refused(|tx| tx.record_response(course.id, &bad))),
            ErrorCode::BadRequest
        );
    }
    let running = InterventionStatus::InProgress;
    let refused = world.refused(|tx| tx.finish_intervention(course.id, running, ""));
    assert_eq!(refused.code(), ErrorCode::BadRequest);
    let nobody = tenure::InterventionId::from(uuid::Uuid::nil());
    let refused = world.refused(|tx| tx.record_response(nobody, "hello"));
    assert_eq!(refused.code(), ErrorCode::NotFound);
    assert_eq!(
        world.tenure.read(|view| view.intervention_actions(nobody)).unwrap_err().code(),
        ErrorCode::NotFound
    );
}

fn a_condition_that_is_not_met_when_it_falls_due_is_met_later(world: &World) {
    let act = |name: &str, timing| ActionDraft::new(name, ChannelKind::Call, timing);
    let draft = PlaybookDraft::new(SignalKind::CompetitorMention)
        .action(act("ask", ActionTiming::Immediately))
        .action(act("offer", ActionTiming::after_hours(1)).only_if(Condition::OpenToOffer));
    world.done(|tx| tx.define_playbook(&draft));
    let (_, course) = begun(world, SignalKind::CompetitorMention);
    world.clock.advance(Duration::hours(5));
    ticked(world);
    assert_eq!(statuses(world, &course), [Scheduled, Waiting]);
    world.done(|tx| tx.record_offer(course.id, OfferAnswer::Open));
    assert_eq!(actions(world, &course)[1].due_at, Some(world.clock.now()));
}

stories! {
    without_a_channel_what_is_due_is_announced_once_and_done_by_hand,
    an_action_is_said_once_however_many_handles_tick,
    silence_climbs_the_path_and_a_response_stops_it,
    a_response_makes_the_call_for_the_silent_needless,
    an_offer_that_is_rejected_goes_to_the_executive,
    there_is_one_intervention_for_a_customer_and_signal,
    an_intervention_keeps_the_playbook_that_it_was_started_with,
    an_intervention_follows_the_customers_csm,
    what_a_person_notes_is_checked,
    a_condition_that_is_not_met_when_it_falls_due_is_met_later,
}
