//! Which requests a group accepts from which member.

use kafka_protocol::ResponseError;
use tokio::time::Instant;

use super::{Group, Identity, Newcomer, State};

impl Group {
    pub(super) fn may_join(&self, who: &Newcomer) -> Result<(), ResponseError> {
        let is_promised = self.promised.contains_key(&who.id);
        if !self.members.contains_key(&who.id) && !is_promised {
            return Err(ResponseError::UnknownMemberId);
        }
        let before = who.instance.as_ref().and_then(|instance| self.instances.get(instance));
        if who.instance.is_some() && !is_promised {
            match before {
                Some(id) if *id == who.id => {}
                Some(_) => return Err(ResponseError::FencedInstanceId),
                None => return Err(ResponseError::UnknownMemberId),
            }
        }
        let is_other = |id: &String| *id != who.id && Some(id) != before;
        let others = || self.members.iter().filter(|(id, _)| is_other(id)).map(|(_, one)| one);
        let is_common = |name: &str| {
            others().all(|member| member.about.protocols.iter().any(|(other, _)| other == name))
        };
        let fits = others().all(|member| member.about.kind == who.kind)
            && who.protocols.iter().any(|(name, _)| is_common(name));
        if fits { Ok(()) } else { Err(ResponseError::InconsistentGroupProtocol) }
    }

    /// Checks that the caller may commit: a member of this generation, or any client while the group has no members.
    pub(in super::super) fn may_commit(
        &mut self,
        who: Identity<'_>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        if who.generation < 0 && who.id.is_empty() && self.members.is_empty() {
            return Ok(());
        }
        self.check(who, now)?;
        if self.state == State::Completing {
            return Err(ResponseError::RebalanceInProgress);
        }
        Ok(())
    }

    /// Checks that the caller is a member of this generation, and extends its session.
    pub(super) fn check(&mut self, who: Identity<'_>, now: Instant) -> Result<(), ResponseError> {
        if let Some(instance) = who.instance {
            let id = self.instances.get(instance).ok_or(ResponseError::UnknownMemberId)?;
            if id != who.id {
                return Err(ResponseError::FencedInstanceId);
            }
        }
        let member = self.members.get_mut(who.id).ok_or(ResponseError::UnknownMemberId)?;
        if who.generation != self.generation {
            return Err(ResponseError::IllegalGeneration);
        }
        member.expires = now + member.about.session;
        Ok(())
    }
}
