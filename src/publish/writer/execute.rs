//! The writer's side of commands: decided, kept on disk, in force, published, and only then told.

use std::io;
use std::sync::Arc;

use super::confirming::Confirming;
use super::run::Core;
use crate::model::{OverrideTarget, Peer};
use crate::names::Label;
use crate::publish::command::{CommandOutcome, CommandRefused, CommandRequest, OperatorCommand};
use crate::publish::now::Now;
use crate::publish::overrides::PendingCommand;
use crate::publish::overrides::targets::check_known;
use crate::publish::world::World;

impl Core {
    /// Decides upon a command and has the outcome written; one that is refused changes nothing.
    pub(in crate::publish) fn execute(&mut self, order: CommandRequest) {
        let now = self.now();
        let CommandRequest { command, by, reply } = order;
        if command == OperatorCommand::ConfirmMembers {
            // Whoever asked may have gone away.
            drop(reply.send(self.confirm_members()));
            return;
        }
        if let OperatorCommand::Confirm(member) = &command {
            match self.confirm(member, by, now) {
                Ok(done) => {
                    let last = self.world.shards.releases.all();
                    self.confirming.push(Confirming { last, done, reply });
                    if self.world.shards.releases.is_empty() && !self.world.overrides.is_frozen() {
                        self.publish(now);
                    } else {
                        self.answer_confirmed();
                    }
                }
                // Whoever asked may have gone away.
                Err(refused) => drop(reply.send(Err(refused))),
            }
            return;
        }
        let moment = self.world.overrides.clock.now(now.instant);
        match self
            .world
            .overrides
            .decide(&command, &self.world.out, moment)
        {
            Ok(next) => {
                let mut written = next.clone();
                let World { overrides, out, .. } = &self.world;
                overrides.fill_safe(&mut written, &self.snapshots.load(), out, now.instant);
                let asked = PendingCommand {
                    command,
                    by,
                    next,
                    reply,
                };
                self.world.overrides.save(written, Some(asked));
            }
            // Whoever asked may have gone away.
            Err(refused) => drop(reply.send(Err(refused))),
        }
    }

    /// Lets members go whose removal is withheld: whoever follows where they come from does so at once.
    fn confirm_members(&mut self) -> Result<CommandOutcome, CommandRefused> {
        let withheld = &self.world.config.membership.withheld;
        if withheld.is_empty() {
            return Err(CommandRefused::NoMembersWithheld);
        }
        let names: Vec<_> = withheld.iter().map(ToString::to_string).collect();
        self.members_confirmed.send_modify(|count| *count += 1);
        Ok(CommandOutcome {
            notes: vec![format!("members that go: {}", names.join(", "))],
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

    /// Answers those whose last removal has been made, which is to be called when that is published,
    /// or will not be since answers are frozen. That ends: removals have their turns one after the
    /// other whatever else happens, and what was made is published.
    pub(in crate::publish) fn answer_confirmed(&mut self) {
        let made = self.world.shards.releases.done();
        let frozen = self.world.overrides.now.frozen;
        for Confirming { done, reply, .. } in self.confirming.extract_if(.., |it| it.last <= made) {
            let mut done = CommandOutcome { frozen, ..done };
            if frozen.is_some() {
                let note = "answers are frozen: it takes effect at `gazetteer thaw`";
                done.notes.push(note.to_owned());
            }
            // Whoever asked may have gone away.
            drop(reply.send(Ok(done)));
        }
    }

    /// Decisions were written, or could not be.
    pub(in crate::publish) fn saved(&mut self, saved: io::Result<()>) {
        let now = self.now();
        let Some(asked) = self.world.overrides.note_saved(&saved, now) else {
            return;
        };
        let outcome = match saved {
            Ok(()) => {
                let published = self.snapshots.load_full();
                let was_frozen = self.world.overrides.is_frozen();
                let World { overrides, out, .. } = &mut self.world;
                let done = overrides.put_in_force(&asked, &published, out, now);
                drop(published);
                self.world.follow_thaw(was_frozen, now);
                // The last publication before a freeze, or the first after a thaw, is due too.
                if !was_frozen || !self.world.overrides.is_frozen() {
                    self.publish(now);
                }
                self.world.follow_freeze(was_frozen);
                Ok(done)
            }
            Err(problem) => Err(self.world.overrides.not_kept(&problem)),
        };
        // Whoever asked may have gone away; the command is obeyed all the same.
        drop(asked.reply.send(outcome));
    }
}
