//! The writer's side of commands: decided, kept on disk, in force, published (`publication.rs`), and only
//! then told.

use std::sync::Arc;

use tracing::info;

use super::confirming::{Awaited, Confirming};
use super::run::Core;
use crate::model::{MemberOrigin, OverrideTarget, Peer};
use crate::names::Label;
use crate::publish::command::{CommandOutcome, CommandRefused, CommandRequest, OperatorCommand};
use crate::publish::now::Now;
use crate::publish::overrides::decide::check_known;
use crate::publish::world::World;

impl Core {
    /// Begins to carry out a command. What is to be kept is decided and written first; removals that
    /// were withheld are let through at once.
    pub(in crate::publish) fn execute(&mut self, request: CommandRequest) {
        let now = self.now();
        match &request.command {
            OperatorCommand::ConfirmMembers => match self.confirm_members() {
                // It is answered when they are out of answers.
                Ok((members, done)) => self.confirming.push(Confirming {
                    what: Awaited::Members(members),
                    done,
                    reply: request.reply,
                }),
                // Whoever asked may have gone away.
                Err(refused) => drop(request.reply.send(Err(refused))),
            },
            OperatorCommand::Forget(member) => {
                let outcome = self.forget(member);
                // Whoever asked may have gone away.
                drop(request.reply.send(outcome));
            }
            OperatorCommand::Confirm(member) => match self.confirm(member, request.by, now) {
                Ok(done) => {
                    let what = Awaited::Shards(self.world.shards.releases.all());
                    let reply = request.reply;
                    self.confirming.push(Confirming { what, done, reply });
                    if self.world.shards.releases.is_empty() && !self.world.overrides.is_frozen() {
                        self.publish(now);
                    } else {
                        self.answer_confirmed();
                    }
                }
                // Whoever asked may have gone away.
                Err(refused) => drop(request.reply.send(Err(refused))),
            },
            _ => {
                let World { overrides, out, .. } = &mut self.world;
                overrides.decide(request, &self.snapshots.load(), out, now);
            }
        }
    }

    /// Lets members go whose removal is withheld: whoever follows where they come from does so at once.
    /// Returns which.
    fn confirm_members(&mut self) -> Result<(Vec<Label>, CommandOutcome), CommandRefused> {
        let withheld = &self.world.config.membership.withheld;
        if withheld.is_empty() {
            return Err(CommandRefused::NoMembersWithheld);
        }
        let names: Vec<_> = withheld.iter().map(ToString::to_string).collect();
        self.departures
            .send_modify(|departures| departures.confirmed += 1);
        let done = CommandOutcome {
            notes: vec![format!("members that go: {}", names.join(", "))],
            ..CommandOutcome::default()
        };
        Ok((withheld.clone(), done))
    }

    /// The absence of a member is meant: it goes with the first list that lacks it.
    fn forget(&mut self, member: &Label) -> Result<CommandOutcome, CommandRefused> {
        check_known(&OverrideTarget::Member(member.clone()), &self.world.out)?;
        if self.world.config.membership.origin(member) == MemberOrigin::Config {
            return Err(CommandRefused::OfConfiguration {
                member: member.clone(),
            });
        }
        self.departures.send_modify(|departures| {
            *departures.meant.entry(member.clone()).or_default() += 1;
        });
        Ok(CommandOutcome {
            notes: vec![format!("{member} goes as soon as its file is gone")],
            ..CommandOutcome::default()
        })
    }

    /// Lets withheld removals of a member through; of many, some now, and the others turn by turn.
    fn confirm(
        &mut self,
        member: &Label,
        by: Option<Peer>,
        now: Now,
    ) -> Result<CommandOutcome, CommandRefused> {
        let World {
            members,
            shards,
            out,
            ..
        } = &mut self.world;
        check_known(&OverrideTarget::Member(member.clone()), out)?;
        let count = members.index.get(member);
        let count = count.map_or(0, |index| shards.confirm(*index, by, out, now));
        let lacks_mark = members.lacks_mark(member);
        if count == 0 && !lacks_mark {
            return Err(CommandRefused::NothingWithheld {
                member: member.clone(),
            });
        }
        let mut notes = vec![format!("{count} held-back removals applied")];
        if lacks_mark {
            self.confirmed.send_modify(|confirmed| {
                let count = Arc::make_mut(confirmed).entry(member.clone());
                *count.or_default() += 1;
            });
            notes.push("its facts file is read again and accepted without [end]".to_owned());
        }
        Ok(CommandOutcome {
            notes,
            ..CommandOutcome::default()
        })
    }

    /// Lets removals through that an operator has confirmed for all replicas, once each. One that nothing
    /// waits for here may yet find something.
    pub(super) fn confirm_for_host(&mut self, now: Now) {
        let moment = self.world.overrides.clock.now(now.instant);
        for confirmation in self.world.overrides.host.due(moment) {
            let done = match &confirmation.member {
                Some(member) => self.confirm(member, None, now),
                None => self.confirm_members().map(|(_, done)| done),
            };
            let Ok(done) = done else { continue };
            info!(notes = ?done.notes, "confirmed by the ConfigMap of the host cluster");
            self.world.overrides.host.note_done(confirmation);
            if self.world.shards.releases.is_empty() && !self.world.overrides.is_frozen() {
                self.publish(now);
            }
        }
    }

    /// Answers those whose last removal has been made, which is to be called when that is published,
    /// or will not be since answers are frozen. That ends: removals have their turns one after the
    /// other whatever else happens, and what was made is published.
    pub(in crate::publish) fn answer_confirmed(&mut self) {
        let made = self.world.shards.releases.done();
        let frozen = self.world.overrides.freeze();
        let membership = &self.world.config.membership;
        let is_done = |it: &mut Confirming| it.what.is_done(made, membership);
        for Confirming { done, reply, .. } in self.confirming.extract_if(.., is_done) {
            let mut done = CommandOutcome { frozen, ..done };
            if frozen.is_some() {
                let note = "answers are frozen: it takes effect at `gazetteer thaw`";
                done.notes.push(note.to_owned());
            }
            // Whoever asked may have gone away.
            drop(reply.send(Ok(done)));
        }
    }
}
