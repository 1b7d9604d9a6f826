//! Users of the host: registered, so that customers can be assigned to them.

use crate::domain::customer::Customer;
use crate::domain::text::{Code, ExternalId, Name};
use crate::domain::user::{User, UserDraft, UserId};
use crate::error::{Error, Faults, Result};
use crate::page::{Cursor, Page};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;

const ASSIGNED_TO: Col = <Customer as Stored>::TABLE.col("assigned_to");
const CSM: Col = <Customer as Stored>::TABLE.col("csm_id");

impl View<'_> {
    /// The user with this id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn user(&self, id: UserId) -> Result<User> {
        self.require(id)
    }

    /// Users, a page at a time.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when `limit` is not 1–1,000.
    pub fn users(&self, limit: usize, cursor: Option<&Cursor>) -> Result<Page<User>> {
        self.page(Query::all(), limit, cursor)
    }
}

impl Tx<'_> {
    /// Registers the user that the host knows by `key`, or changes what the draft names of it. A
    /// user who had left is active again.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault.
    pub fn register_user(&mut self, key: &str, draft: &UserDraft) -> Result<User> {
        let mut faults = Faults::default();
        // Something sound stands in for what is malformed, so that every other fault is found too.
        let key = faults.note("key", ExternalId::parse(key));
        let key = key.or_else(|| ExternalId::parse("unknown").ok());
        let name =
            key.as_ref().filter(|_| draft.name.is_keep()).map_or("unnamed", |it| it.as_str());
        let name = faults.note("name", Name::parse(name));
        let role = faults.note("role", Code::parse("sales"));
        let (Some(key), Some(name), Some(role)) = (key, name, role) else {
            return Err(Error::Invalid(faults));
        };
        let (id, now) = (UserId::of(key.as_str()), self.now());
        let known = self.get::<User>(id)?;
        let mut user = known.clone().unwrap_or(User {
            id,
            key,
            name,
            email: None,
            calendar_link: None,
            role,
            teams: Vec::new(),
            is_active: true,
            created_at: now,
            updated_at: now,
        });
        draft.apply(&mut user, &mut faults);
        faults.check()?;
        user.is_active = true;
        if known.as_ref() == Some(&user) {
            return Ok(user);
        }
        user.updated_at = now;
        self.put(&user)?;
        let event = if known.is_none() { "user.registered" } else { "user.updated" };
        self.announce(event, id, None, json!({}));
        Ok(user)
    }

    /// Moves every customer of one user to another, in its assignment and its success, and every open
    /// task. Returns how many customers were moved.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Invalid`] when the successor has left.
    pub fn reassign(&mut self, from: UserId, to: UserId) -> Result<usize> {
        self.view().user(from)?;
        if !self.view().user(to)?.is_active {
            let rule = "must be a user who is registered and active";
            return Err(Error::invalid("to", &to.to_string(), rule));
        }
        self.whole(|tx| {
            let mut moved = 0_usize;
            for col in [ASSIGNED_TO, CSM] {
                // Each page leaves the query as it is moved, so the first page is always the next.
                loop {
                    let query = Query::all().eq(col, &Some(from)).limit(500);
                    let customers = tx.view().find::<Customer>(&query)?;
                    if customers.is_empty() || from == to {
                        break;
                    }
                    for mut customer in customers {
                        for role in [&mut customer.assigned_to, &mut customer.csm_id] {
                            *role = role.map(|user| if user == from { to } else { user });
                        }
                        tx.keep_customer(&mut customer)?;
                        tx.follow_csm(&customer)?;
                        tx.hand_over_opportunities(&customer)?;
                        let fields = json!({ "fields": ["assigned_to", "csm_id"] });
                        tx.announce("customer.updated", customer.id, customer.id, fields);
                        moved = moved.saturating_add(1);
                    }
                }
            }
            let tasks = tx.hand_over_tasks(from, to)?;
            if moved > 0 || tasks > 0 {
                let data = json!({ "to": to, "customers": moved, "tasks": tasks });
                tx.announce("user.reassigned", from, None, data);
            }
            Ok(moved)
        })
    }

    /// Marks a user as having left. One who looks after customers or has open tasks
    /// needs a successor.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`]; [`Error::Rule`] when there are customers or tasks and no successor.
    pub fn deactivate_user(&mut self, id: UserId, successor: Option<UserId>) -> Result<User> {
        let mut user = self.view().user(id)?;
        self.whole(|tx| {
            match successor {
                Some(successor) if successor != id => {
                    tx.reassign(id, successor)?;
                }
                _ => {
                    for col in [ASSIGNED_TO, CSM] {
                        if tx.view().first::<Customer>(Query::all().eq(col, &Some(id)))?.is_some() {
                            return Err(Error::rule("a user with customers needs a successor"));
                        }
                    }
                    if tx.has_tasks(id)? {
                        return Err(Error::rule("a user with open tasks needs a successor"));
                    }
                }
            }
            if user.is_active {
                user.is_active = false;
                user.updated_at = tx.now();
                tx.put(&user)?;
                tx.announce("user.deactivated", id, None, json!({}));
            }
            Ok(user)
        })
    }
}
