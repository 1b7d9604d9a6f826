//! Channels to customers: one that lives in the process, for tests and examples.

use crate::domain::channel::{Channel, ChannelFailure, Delivered, OutboundMessage};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A channel that only remembers. What is written is done at once; calls and meetings are handed to a
/// person, as in life. Clones share what they know.
///
/// ```
/// use tenure::channel::FakeChannel;
/// use tenure::store::memory::MemoryStore;
/// use tenure::{CustomerDraft, SignalKind, Tenure};
///
/// let channel = FakeChannel::new();
/// let tenure = Tenure::builder(MemoryStore::new()).channel(channel.clone()).open()?;
/// tenure.write(|tx| {
///     let acme = tx.create_customer(&CustomerDraft::named("Acme"))?;
///     tx.start_intervention(acme.id, SignalKind::NoLogin7Days)
/// })?;
/// tenure.tick()?;
/// assert_eq!(channel.messages()[0].action.as_str(), "send_reengagement_email");
/// # Ok::<_, tenure::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct FakeChannel(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// In the order in which they came, each id once.
    messages: Vec<OutboundMessage>,
    calls: usize,
    /// How many of the next calls fail without effect, and how.
    failures: Option<(usize, ChannelFailure)>,
    /// How many of the next calls have their effect and no answer.
    lost_answers: usize,
}

impl FakeChannel {
    /// A channel that nothing came through yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What it took, in the order in which it came, each id once.
    #[must_use]
    pub fn messages(&self) -> Vec<OutboundMessage> {
        self.known().messages.clone()
    }

    /// How often it was asked.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.known().calls
    }

    /// The next `times` calls fail like this and have no effect; `usize::MAX` is for good, 0 for no
    /// longer.
    pub fn fail(&self, times: usize, failure: ChannelFailure) {
        self.known().failures = Some((times, failure));
    }

    /// The next `times` calls have their effect, but their answers are lost.
    pub fn lose_answers(&self, times: usize) {
        self.known().lost_answers = times;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel for FakeChannel {
    fn deliver(&self, message: &OutboundMessage) -> Result<Delivered, ChannelFailure> {
        let mut known = self.known();
        known.calls = known.calls.saturating_add(1);
        if let Some((times, failure)) = &mut known.failures
            && let Some(left) = times.checked_sub(1)
        {
            *times = if *times == usize::MAX { *times } else { left };
            return Err(failure.clone());
        }
        if known.messages.iter().all(|it| it.id != message.id) {
            known.messages.push(message.clone());
        }
        if let Some(left) = known.lost_answers.checked_sub(1) {
            known.lost_answers = left;
            return Err(ChannelFailure::Failed("the answer was lost".to_owned()));
        }
        let written = message.channel.is_written();
        Ok(if written { Delivered::done() } else { Delivered::handed_over() })
    }
}
