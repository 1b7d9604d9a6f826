//! Tasks: created once, listed, done, handed over.

use crate::support::{BEGINNING, World, code, fields};
use tenure::{
    CustomerDraft, CustomerId, Error, ErrorCode, NewTask, Task, TaskFilter, TaskId, TaskPriority,
    TaskStatus, UserDraft, UserId,
};
use time::Duration;
use uuid::Uuid;

fn user(world: &World, key: &str) -> UserId {
    world.done(|tx| tx.register_user(key, &UserDraft::default().name(key))).id
}

fn create(world: &World, task: &NewTask) -> Task {
    world.done(|tx| tx.create_task(task))
}

fn kinds(tasks: &[Task]) -> Vec<&str> {
    tasks.iter().map(|task| task.kind.as_str()).collect()
}

fn an_occasion_has_one_task_of_a_kind(world: &World) {
    let (acme, globex) = (world.customer("Acme").id, world.customer("Globex").id);
    let call = NewTask::new(acme, "call", "Ask how it goes").occasion("q1");
    let first = create(world, &call);
    assert!(world.told(|| create(world, &call)).is_empty());
    let reworded = NewTask::new(acme, "call", "Ask again").occasion("q1");
    assert_eq!(create(world, &reworded), first, "the first one counts");
    world.done(|tx| tx.complete_task(first.id, None));
    assert_eq!(create(world, &call).status, TaskStatus::Completed, "it is not opened again");
    for other in [
        NewTask::new(acme, "call", "x").occasion("q2"),
        NewTask::new(acme, "write", "x").occasion("q1"),
        NewTask::new(globex, "call", "x").occasion("q1"),
        NewTask::new(acme, "call", "x"),
        NewTask::new(acme, "call", "x"),
    ] {
        assert_ne!(create(world, &other).id, first.id);
    }
    let all = world.seen(|view| view.tasks(&TaskFilter::of(acme), 100, None)).items;
    assert_eq!(all.len(), 5);
}

fn a_task_is_the_csm_s_unless_told_otherwise(world: &World) {
    let (mia, bob) = (user(world, "mia"), user(world, "bob"));
    let draft = CustomerDraft::named("Acme").csm_id(mia);
    let acme = world.done(|tx| tx.create_customer(&draft)).id;
    let task = create(world, &NewTask::new(acme, "call", "x"));
    assert_eq!(task.assignee, Some(mia));
    assert_eq!(create(world, &NewTask::new(acme, "call", "x").assignee(bob)).assignee, Some(bob));
    let moved = world.done(|tx| tx.reassign_task(task.id, Some(bob)));
    assert_eq!(moved.assignee, Some(bob));
    let again = world.told(|| world.done(|tx| tx.reassign_task(task.id, Some(bob))));
    assert!(again.is_empty(), "{again:?}");
    assert_eq!(world.done(|tx| tx.reassign_task(task.id, None)).assignee, None);
    let error = world.refused(|tx| tx.reassign_task(task.id, Some(UserId::of("nobody"))));
    assert_eq!(fields(&error), ["assignee"]);
    world.done(|tx| tx.complete_task(task.id, None));
    let error = world.refused(|tx| tx.reassign_task(task.id, Some(mia)));
    assert_eq!(error.code(), ErrorCode::Unprocessable);
}

fn what_is_due_is_listed_by_when(world: &World) {
    let mia = user(world, "mia");
    let acme = world.customer("Acme").id;
    let due = |kind: &str, hours| {
        NewTask::new(acme, kind, "x").due_at(BEGINNING + Duration::hours(hours))
    };
    create(world, &due("third", 3));
    create(world, &due("first", 1).assignee(mia));
    let done = create(world, &due("done", 1));
    create(world, &due("second", 2));
    create(world, &NewTask::new(acme, "whenever", "x"));
    world.done(|tx| tx.complete_task(done.id, None));
    let until = BEGINNING + Duration::hours(3);
    let page = world.seen(|view| view.tasks_due(until, None, 1, None));
    assert_eq!(kinds(&page.items), ["first"]);
    let next = world.seen(|view| view.tasks_due(until, None, 9, page.next.as_ref()));
    assert_eq!((kinds(&next.items), next.next), (vec!["second"], None));
    let mine = world.seen(|view| view.tasks_due(until, Some(mia), 9, None));
    assert_eq!(kinds(&mine.items), ["first"]);
    let filter = TaskFilter::of(acme).status(TaskStatus::Open);
    let open = world.seen(|view| view.tasks(&filter, 9, None)).items;
    assert_eq!(open.len(), 4);
    let mine = TaskFilter::default().assigned_to(mia);
    assert_eq!(world.seen(|view| view.tasks(&mine, 9, None)).items.len(), 1);
    assert_eq!(world.seen(|view| view.tasks(&TaskFilter::default(), 9, None)).items.len(), 5);
}

fn a_task_is_done_once_with_notes_that_can_be_mended(world: &World) {
    let acme = world.customer("Acme").id;
    let task = create(world, &NewTask::new(acme, "call", "x").priority(TaskPriority::Urgent));
    let told = world.told(|| world.done(|tx| tx.complete_task(task.id, Some("done"))));
    assert_eq!(told, ["task.completed"]);
    world.clock.advance(Duration::HOUR);
    let told = world.told(|| world.done(|tx| tx.complete_task(task.id, Some("done, really"))));
    assert!(told.is_empty());
    let task = world.seen(|view| view.task(task.id));
    assert_eq!(task.notes.unwrap().as_str(), "done, really");
    assert_eq!(task.completed_at, Some(BEGINNING));
    assert_eq!(task.priority, TaskPriority::Urgent);
}

fn who_leaves_hands_the_tasks_over(world: &World) {
    let (mia, bob) = (user(world, "mia"), user(world, "bob"));
    let acme = world.customer("Acme").id;
    let task = NewTask::new(acme, "call", "x").assignee(mia);
    let (open, done) = (create(world, &task).id, create(world, &task).id);
    world.done(|tx| tx.complete_task(done, None));
    let error = world.refused(|tx| tx.deactivate_user(mia, None));
    assert_eq!(error.code(), ErrorCode::Unprocessable);
    world.done(|tx| tx.deactivate_user(mia, Some(bob)));
    assert_eq!(world.seen(|view| view.task(open)).assignee, Some(bob));
    assert_eq!(world.seen(|view| view.task(done)).assignee, Some(mia), "what is done is history");
}

fn every_fault_of_a_task_is_told_at_once(world: &World) {
    let acme = world.customer("Acme").id;
    let mut bad = NewTask::new(acme, "No Code", " ").occasion("").assignee(UserId::of("nobody"));
    bad = bad.due_at(time::OffsetDateTime::UNIX_EPOCH.replace_year(-5).unwrap());
    let error = world.refused(|tx| tx.create_task(&bad));
    let mut found = fields(&error);
    found.sort_unstable();
    assert_eq!(found, ["assignee", "description", "dueAt", "kind", "occasion"]);
    let long = NewTask::new(acme, "call", "x".repeat(10_001));
    assert_eq!(fields(&world.refused(|tx| tx.create_task(&long))), ["description"]);
    let nobody = NewTask::new(CustomerId::from(Uuid::nil()), "call", "x");
    assert_eq!(code(world.tried(|tx| tx.create_task(&nobody))), ErrorCode::NotFound);
    let nothing = TaskId::from(Uuid::nil());
    assert!(matches!(
        world.tried(|tx| tx.complete_task(nothing, None)),
        Err(Error::NotFound { .. })
    ));
}

stories![
    an_occasion_has_one_task_of_a_kind,
    a_task_is_the_csm_s_unless_told_otherwise,
    what_is_due_is_listed_by_when,
    a_task_is_done_once_with_notes_that_can_be_mended,
    who_leaves_hands_the_tasks_over,
    every_fault_of_a_task_is_told_at_once,
];
