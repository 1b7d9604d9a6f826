//! Playbooks: tenure's own, until a host defines others.

use crate::domain::churn::playbook::{Playbook, PlaybookId};
use crate::domain::churn::playbook_draft::PlaybookDraft;
use crate::domain::churn::presets::preset;
use crate::domain::churn::signals::SignalKind;
use crate::error::{Error, Result};
use crate::store::query::Query;
use crate::store::schema::Col;
use crate::tables::Stored;
use crate::tx::{Tx, View};
use serde_json::json;

const SIGNAL: Col = <Playbook as Stored>::TABLE.col("signal");
const VERSION: Col = <Playbook as Stored>::TABLE.col("version");

impl View<'_> {
    /// The latest version of the playbook of a signal: tenure's own, version 1, unless the host has
    /// defined another.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{SignalKind, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// let playbook = tenure.read(|view| view.playbook(SignalKind::NoLogin7Days))?;
    /// assert_eq!(playbook.version, 1);
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn playbook(&self, signal: SignalKind) -> Result<Playbook> {
        self.kept_playbook(signal)?.map_or_else(|| self.own_playbook(signal), Ok)
    }

    /// The latest version of every playbook, in the order of the signals.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{SignalKind, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// let all = tenure.read(|view| view.playbooks())?;
    /// assert_eq!(all.len(), SignalKind::ALL.len());
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The store's own.
    pub fn playbooks(&self) -> Result<Vec<Playbook>> {
        SignalKind::ALL.iter().map(|signal| self.playbook(*signal)).collect()
    }

    /// A certain version of the playbook of a signal.
    ///
    /// ```
    /// # use tenure::store::memory::MemoryStore;
    /// # use tenure::{SignalKind, Tenure};
    /// # let tenure = Tenure::open(MemoryStore::new())?;
    /// let kind = SignalKind::NoLogin7Days;
    /// assert!(tenure.read(|view| view.playbook_version(kind, 1)).is_ok());
    /// assert!(tenure.read(|view| view.playbook_version(kind, 2)).is_err());
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub fn playbook_version(&self, signal: SignalKind, version: u32) -> Result<Playbook> {
        match self.get(PlaybookId::of(signal, version))? {
            Some(known) => Ok(known),
            None if version == 1 => self.own_playbook(signal),
            None => Err(Error::not_found("playbook", format!("{signal} version {version}"))),
        }
    }

    /// The latest version that was written down.
    fn kept_playbook(&self, signal: SignalKind) -> Result<Option<Playbook>> {
        self.first(Query::all().eq(SIGNAL, &signal).newest_by(VERSION))
    }

    fn own_playbook(&self, signal: SignalKind) -> Result<Playbook> {
        preset(signal).check(1, self.now()).map_err(Error::Invalid)
    }
}

impl Tx<'_> {
    /// Defines the playbook of a signal, as a new version: interventions that run keep the version
    /// that they were started with. Defining what is already the latest version changes nothing.
    ///
    /// ```
    /// use tenure::store::memory::MemoryStore;
    /// use tenure::{ActionDraft, ChannelKind, PlaybookDraft, SignalKind, Tenure, ActionTiming};
    ///
    /// let tenure = Tenure::open(MemoryStore::new())?;
    /// let call = ActionDraft::new("payment_call", ChannelKind::Call, ActionTiming::within_hours(4));
    /// let ours = PlaybookDraft::new(SignalKind::FailedPayment).timeline_hours(8).action(call);
    /// let playbook = tenure.write(|tx| tx.define_playbook(&ours))?;
    /// assert_eq!((playbook.version, playbook.actions.len()), (2, 1));
    /// # Ok::<_, tenure::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault of the draft.
    pub fn define_playbook(&mut self, draft: &PlaybookDraft) -> Result<Playbook> {
        let latest = self.view().playbook(draft.signal)?;
        let version = latest.version.saturating_add(1);
        let playbook = draft.check(version, self.now()).map_err(Error::Invalid)?;
        let same = Playbook {
            id: latest.id,
            version: latest.version,
            created_at: latest.created_at,
            ..playbook.clone()
        };
        if same == latest {
            return Ok(latest);
        }
        self.insert(&playbook)?;
        let data = json!({ "signal": playbook.signal, "version": version });
        self.announce("playbook.defined", playbook.id, None, data);
        Ok(playbook)
    }

    /// The playbook that an intervention starts with. tenure's own is written down when it is first
    /// used, so that who runs it keeps it whatever a later version of tenure brings along.
    pub(crate) fn playbook_in_use(&mut self, signal: SignalKind) -> Result<Playbook> {
        if let Some(kept) = self.view().kept_playbook(signal)? {
            return Ok(kept);
        }
        let own = self.view().own_playbook(signal)?;
        self.insert(&own)?;
        Ok(own)
    }
}
