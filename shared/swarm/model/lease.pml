/* lease.pml - the lease, the gate, lost holders and orders, for spin to exhaust.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is modelled is what is built: enqueue.c, take.c, act.c, release.c, fail.c,
 * lost.c, host_order.c, order.c and the abort of close.c, with the runner's READING
 * after every doubt (R2) and the visit's journal. One stage, one lease, one disruptive
 * act and the act that puts it back. README.md tells what is left out, and why.
 *
 * A multi is one step; its guards are what its sender read before. Versions are only
 * compared for equality and never repeat (R4), so a version is a bit here: who has read
 * a znode knows it until it moves (knows_record, knows_gate). So are attempts and
 * tokens (visit_current, journal_current). A read that lags behind is one made earlier.
 * Where all that decides a transaction stands among its guards, reading and committing
 * are one step: nothing that matters can come in between.
 *
 * What may go wrong, each as often as its budget allows: a reply is lost and the multi
 * stays in flight - it commits later, after whatever else, or never (a zombie, and one
 * of a session that has ended, which is more than a server allows); a process dies and
 * loses all but its disk; a machine dies for good; a session ends and takes the ticket
 * along; a visit fails, and so may what puts it back; an operator pauses, resumes,
 * lowers the limit, aborts, retries, excludes, and breaks long after having looked.
 *
 * Checked at every transaction: I1 to I4, I7, I8, I9, R6, R7, and the promise itself,
 * that no more than K hosts are disrupted but those whose permits were broken by name.
 * When nothing can move any more, every host has ended or waits for something that has
 * a name (monitor). That it comes to that is proved by looking for a cycle: there is
 * none, every fault costs budget and everything else goes forward.
 *
 * Each rule that lease_state.pml can break must be caught (tests/model/forms.sh).
 */
#include "lease_state.pml"
#include "lease_txn.pml"

/* ---- a host ---- */

/* The reply will not come, and the request may arrive yet. R2: read again. Of those
 * that cannot commit any more nothing is to be seen. */
inline lose_reply(h, what, p)
{
    lost_replies--;
    in_flight[h] = what;
    in_flight_old[h] = 0;
    in_flight_permit[h] = p;
    at[h] = READING
}
#define may_lose_reply(h) \
    (lost_replies > 0 && in_flight[h] == NOTHING && knows_record[h])

inline forget_take(h)
{
    take[h] = 0; listing[h] = 0; knows_gate[h] = 0
}

/* How many of the first p are taken in the listing, and how many free. */
#define bit_of(h, p) ((listing[h] >> (p)) & 1)
#define listed(h, p) (bit_of(h, 0) * ((p) > 0) + bit_of(h, 1) * ((p) > 1) + \
                      bit_of(h, 2) * ((p) > 2))
#ifdef ANY_FREE_PERMIT
#define is_low_enough(h, p) ((p) < limit)
#else
#define is_low_enough(h, p) \
    (listed(h, SLOTS) + ((p) - listed(h, p)) < limit + ONE_MORE)
#endif
#define may_try(h, p) \
    ((p) < SLOTS && bit_of(h, p) == 0 && listed(h, SLOTS) < limit + ONE_MORE && \
     is_low_enough(h, p))

inline drop_visit(h)
{
    visit[h] = NO_VISIT; visit_current[h] = 0; visit_disrupted[h] = 0
}

/* keep_or_drop_visit, and what the record says is next. Join goes before. */
inline read_record(h)
{
    live[h] = 1;
    knows_record[h] = 1;
    forget_take(h);
    if
    :: (state[h] == HOLDING || state[h] == LOST) && visit_current[h]
    :: else -> drop_visit(h)
    fi;
    if
    :: state[h] == HOLDING -> at[h] = VISITING
    :: state[h] == LOST -> at[h] = RETURNING
    :: state[h] == IDLE && !ending -> at[h] = ENQUEUING
    :: state[h] == WAITING && ending -> at[h] = LEAVING
    :: state[h] == WAITING && !ending && ticket[h] == 1 -> at[h] = QUEUED
    :: state[h] == WAITING && !ending && ticket[h] != 1 -> at[h] = ENQUEUING
    :: terminal(h) || (state[h] == IDLE && ending) -> rest(h)
    fi
}

inline rest(h)
{
    at[h] = RESTING;
    if
    :: state[h] == DONE || state[h] == EXCLUDED -> /* what no one will ask for again */
        journal[h] = ABSENT; journal_current[h] = 0; healthy[h] = 0; moved[h] = 0;
        right[h] = 0; acted[h] = 0; acted_back[h] = 0; live[h] = 0
    :: else
    fi
}

/* What the journal says, and where it says nothing the world. */
inline begin_visit(h)
{
    visit_current[h] = 1;
    visit_disrupted[h] = disrupted[h];
    if
    :: journal[h] == SAYS_FAILED && journal_current[h] -> visit[h] = ENDED_FAILED
    :: going_back(h) -> visit[h] = GO_BACK
    :: else ->
        if /* an attempt before this one: begin afresh */
        :: journal[h] == SAYS_FAILED ->
            journal[h] = ABSENT; healthy[h] = 0; moved[h] = 0
        :: else
        fi;
        if
        :: right[h] -> visit[h] = PROVE
        :: !right[h] && journal[h] == BEGUN && moved[h] -> visit[h] = ACTING
        :: else -> visit[h] = ASK
        fi
    fi
}

inline say_failed(h, well)
{
#ifndef FAILURE_NOT_JOURNALED
    journal[h] = SAYS_FAILED; journal_current[h] = visit_current[h];
#else
    journal[h] = ABSENT;
#endif
    healthy[h] = well;
    moved[h] = 0;
    visit[h] = ENDED_FAILED
}

inline begin_act(h)
{
    n = 1;
    for (i : 0 .. N - 1) {
        n = n + (acting[i] && !broken[i])
    }
    i = 0;
    assert(AT_MOST_K && (broken[h] || n <= K));
    n = 0;
    assert(I9 && (broken[h] || (owns(h) && visit_current[h])));
    if
    :: going_back(h) -> assert(I9 && !acted_back[h]); acted_back[h] = 1
    :: else -> assert(I9 && !acted[h]); acted[h] = 1
    fi;
    acting[h] = 1; moved[h] = 1;
    visit[h] = ACTING
}

active [N] proctype host()
{
    byte h = _pid;
end:
    do
    :: d_step { at[h] == DOWN && !dead[h] && h <= started ->
        at[h] = READING;
        if
        :: h == started -> started++
        :: else
        fi }
    :: d_step { at[h] == READING -> read_record(h) }

    :: d_step { at[h] == ENQUEUING ->
        if
        :: knows_record[h] -> do_enqueue(h, 1); knows_record[h] = 1; at[h] = QUEUED
        :: else -> at[h] = READING
        fi }
    :: d_step { at[h] == ENQUEUING && may_lose_reply(h) -> lose_reply(h, ENQUEUE, 0) }

    /* QUEUED: the gate, then the permits, then the multi. Any ticket may contend. */
    :: d_step { at[h] == QUEUED && ending -> at[h] = LEAVING; forget_take(h) }
    :: d_step { at[h] == QUEUED && (!knows_record[h] || ticket[h] != 1) ->
        at[h] = READING }
    :: d_step { at[h] == QUEUED && take[h] == 0 && grants && room ->
        take[h] = 1; knows_gate[h] = 1 }
    :: d_step { at[h] == QUEUED && take[h] == 1 ->
        for (i : 0 .. SLOTS - 1) {
            listing[h] = listing[h] | ((holder[i] != NONE) << i)
        }
        i = 0;
        take[h] = 2 }
    /* Any of the K - n lowest that are free in the listing; take.h tries the lowest. */
    :: d_step { at[h] == QUEUED && take[h] == 2 && may_try(h, 0) -> take[h] = 3 }
    :: d_step { at[h] == QUEUED && take[h] == 2 && may_try(h, 1) -> take[h] = 4 }
    :: d_step { at[h] == QUEUED && take[h] == 2 && may_try(h, 2) -> take[h] = 5 }
    :: d_step { at[h] == QUEUED && take[h] == 2 &&
                listed(h, SLOTS) >= limit + ONE_MORE ->
        forget_take(h) }
    :: d_step { at[h] == QUEUED && take[h] >= 3 ->
        if
        :: !knows_gate[h] && gate_guards_take -> forget_take(h)
        :: (knows_gate[h] || !gate_guards_take) && !permit_is_free(take[h] - 3) ->
            listing[h] = listing[h] | (1 << (take[h] - 3)); take[h] = 2
        :: else ->
            if
            :: !knows_record[h] || ticket[h] == 0 -> at[h] = READING
            :: else -> do_take(h, take[h] - 3); knows_record[h] = 1; at[h] = VISITING
            fi;
            forget_take(h)
        fi }
    :: d_step { at[h] == QUEUED && take[h] >= 3 && may_lose_reply(h) &&
                (knows_gate[h] || !gate_guards_take) ->
        lose_reply(h, TAKE, take[h] - 3);
#ifdef TRUST_LOST_REPLY /* takes it for granted */
        at[h] = VISITING; visit[h] = MAY; visit_current[h] = 1;
#endif
        forget_take(h) }

    :: d_step { at[h] == LEAVING -> /* set(record, idle), delete(ticket) */
        if
        :: knows_record[h] ->
            record_becomes(h, IDLE); ticket[h] = 0; knows_record[h] = 1; rest(h)
        :: else -> at[h] = READING
        fi }

    :: d_step { at[h] == VISITING && visit[h] == NO_VISIT -> begin_visit(h) }
    :: d_step { at[h] == VISITING && visit[h] == ASK ->
        if
        :: !leave_granted && !visit_disrupted[h] && !going_back(h) ->
            visit[h] = ENDED_BACK
        :: else -> if
            :: !knows_record[h] -> at[h] = READING
            :: else ->
                assert(R7 && (grants || visit_disrupted[h] || going_back(h)));
                do_act(h); knows_record[h] = 1;
                visit_disrupted[h] = 1; visit[h] = MAY
            fi
        fi }
    :: d_step { at[h] == VISITING && visit[h] == ASK && may_lose_reply(h) &&
                (grants || visit_disrupted[h] || going_back(h)) ->
        lose_reply(h, ACT, 0) }

    :: d_step { at[h] == VISITING && visit[h] == ENDED_DONE ->
        drop_visit(h);
        if
        :: knows_record[h] -> do_release(h, permit[h]); knows_record[h] = 1; rest(h)
        :: else -> at[h] = READING
        fi }
    :: d_step { at[h] == VISITING && visit[h] == ENDED_DONE && may_lose_reply(h) ->
        drop_visit(h); lose_reply(h, RELEASE, permit[h]) }
    :: d_step { at[h] == VISITING && visit[h] == ENDED_BACK ->
        drop_visit(h); at[h] = READING; /* where it goes on from, either way */
        if
        :: knows_record[h] -> do_give_back(h, permit[h])
        :: else
        fi }
    :: d_step { at[h] == VISITING && visit[h] == ENDED_BACK && may_lose_reply(h) ->
        drop_visit(h); lose_reply(h, GIVE_BACK, permit[h]) }
    :: d_step { at[h] == VISITING && visit[h] == ENDED_FAILED ->
        drop_visit(h);
        if
        :: knows_record[h] -> do_fail(h, permit[h]); knows_record[h] = 1; rest(h)
        :: else -> at[h] = READING
        fi }
    :: d_step { at[h] == VISITING && visit[h] == ENDED_FAILED && may_lose_reply(h) ->
        drop_visit(h); lose_reply(h, FAIL, permit[h]) }

    :: d_step { at[h] == RETURNING ->
#ifdef RETURN_WITHOUT_RECORD_CAS
        if
        :: true ->
#else
        if
        :: knows_record[h] ->
#endif
            do_return(h); knows_record[h] = 1; at[h] = VISITING
        :: else -> at[h] = READING
        fi }
    :: d_step { at[h] == RETURNING && may_lose_reply(h) -> lose_reply(h, RETURN, 0) }

    /* Its watch on its record tells of a retry. */
    :: d_step { at[h] == RESTING && !knows_record[h] -> at[h] = READING }

    /* The visit goes on by itself, whatever becomes of the connection. */
    :: d_step { up(h) && visit[h] == MAY ->
#ifndef JOURNAL_AFTER_ACT
        journal[h] = (going_back(h) -> BACK_BEGUN : BEGUN);
        journal_current[h] = visit_current[h];
        moved[h] = 0;
        visit[h] = NOTED }
    :: d_step { up(h) && visit[h] == NOTED ->
#endif
        begin_act(h) }
    :: d_step { up(h) && visit[h] == ACTING && !acting[h] ->
        if
        :: journal[h] == BACK_BEGUN -> right[h] = 0; visit[h] = GO_BACK
        :: else -> right[h] = 1; visit[h] = PROVE
        fi }
    :: d_step { up(h) && visit[h] == PROVE -> /* journal_end */
        journal[h] = ABSENT; journal_current[h] = 0; moved[h] = 0;
        visit[h] = ENDED_DONE }
    :: d_step { up(h) && (visit[h] == PROVE || (visit[h] == ASK && !going_back(h))) &&
                failures > 0 ->
        failures--;
        journal[h] = BACK; journal_current[h] = visit_current[h];
        visit[h] = GO_BACK }
    :: d_step { up(h) && visit[h] == GO_BACK && !acting[h] ->
        if
        :: right[h] && !(journal[h] == BACK_BEGUN && moved[h]) -> visit[h] = ASK
        :: else -> right[h] = 0; say_failed(h, 1)
        fi }
    :: d_step { up(h) && visit[h] == GO_BACK && !acting[h] && right[h] ->
        say_failed(h, 0) } /* that fails, too */
    od
}

/* ---- everything else that happens ---- */

inline lose_process(h)
{
    at[h] = DOWN;
    knows_record[h] = 0;
    forget_take(h);
    drop_visit(h);
    in_flight_old[h] = (in_flight[h] != NOTHING);
    if
    :: ticket[h] == 1 -> ticket[h] = 2
    :: else
    fi
}

/* A request that was lost arrives after all. Had a guard of it moved, it would have
 * been forgotten. */
inline arrive(h)
{
    request = in_flight[h];
    slot = in_flight_permit[h];
    session = 1 + in_flight_old[h];
    forget_request(h);
    if
    :: request == ENQUEUE -> do_enqueue(h, session)
    :: request == TAKE && permit_is_free(slot) && ticket[h] != 0 -> do_take(h, slot)
    :: request == ACT -> do_act(h)
#ifdef PERMIT_VERSION_GUARD /* it is 0 again after delete and create: R4 */
    :: request == RELEASE && holder[slot] != NONE -> do_release(h, slot)
#else
    :: request == RELEASE -> do_release(h, slot)
#endif
    :: request == GIVE_BACK -> do_give_back(h, slot)
    :: request == FAIL -> do_fail(h, slot)
    :: request == RETURN -> do_return(h)
    :: else
    fi;
    request = NOTHING; slot = 0; session = 0
}

active [N] proctype world()
{
    byte h = _pid - N;
end:
    do
    :: d_step { acting[h] -> acting[h] = 0 }
    :: d_step { in_flight[h] != NOTHING -> arrive(h) }
    :: d_step { in_flight[h] != NOTHING -> forget_request(h) }
    :: d_step { up(h) && crashes > 0 && !terminal(h) -> crashes--; lose_process(h) }
    :: d_step { !dead[h] && deaths > 0 && !terminal(h) && h < started ->
        deaths--; lose_process(h); dead[h] = 1; acting[h] = 0 }

    /* The server ends its session; and that of the process before. */
    :: d_step { live[h] && (expiries > 0 || dead[h]) && !terminal(h) ->
        if
        :: dead[h]
        :: else -> expiries--
        fi;
        live[h] = 0; ticket[h] = 0; forget_take(h);
        if
        :: up(h) -> at[h] = READING
        :: else
        fi;
#ifdef RELEASED_ON_EXPIRY /* permits that are ephemeral */
        if
        :: permit[h] != NONE -> delete_permit(permit[h])
        :: else
        fi;
        check()
#endif
        }
    :: d_step { ticket[h] == 2 -> ticket[h] = 0 }

    /* lost.c, by whoever waits: silent under this permit for the grace time, marked */
    :: d_step { state[h] == HOLDING && !live[h] && !suspect[h] -> suspect[h] = 1 }
    :: d_step { state[h] == HOLDING && suspect[h] ->
        record_becomes(h, LOST);
        count_failure(h);
        suspect[h] = 0;
#ifdef LOST_FREES_PERMIT
        delete_permit(permit[h]); has_no_permit(h); state[h] = FAILED;
#endif
        check() }

    /* host_order.c */
    :: d_step { retries > 0 && state[h] == FAILED && phase != CLOSED &&
                (phase != ABORT || permit[h] != NONE) ->
        retries--;
        if
        :: permit[h] != NONE ->
            record_becomes(h, HOLDING); next_attempt(h); disrupted[h] = 1
        :: else -> record_becomes(h, IDLE)
        fi;
        uncount_failure(h);
        check() }
    :: d_step { exclusions > 0 && !ending &&
                (state[h] == IDLE || state[h] == WAITING ||
                 (state[h] == FAILED && permit[h] == NONE)) ->
        exclusions--;
        if
        :: state[h] == FAILED -> uncount_failure(h)
        :: else
        fi;
        record_becomes(h, EXCLUDED); ticket[h] = 0;
        check() }
    /* A break is read, decided, and sent. What it guards has moved: it reads again. */
    :: d_step { breaks > 0 && breaking == NONE && owns(h) && phase != CLOSED ->
        breaking = h; breaking_permit = permit[h] }
    :: d_step { breaking == h && breaks > 0 ->
        breaks--;
        slot = breaking_permit;
        if
        :: failure[h] -> uncount_failure(h)
        :: else
        fi;
        record_becomes(h, EXCLUDED);
        delete_permit(slot);
        slot = 0;
        has_no_permit(h);
        broken[h] = 1;
        stop_breaking();
        check() }
    od
}

active proctype operator()
{
end:
    do
    :: d_step { phase == RUN && pauses > 0 -> pauses--; phase = PAUSE; gate_moves() }
    :: d_step { phase == PAUSE && pauses > 0 -> pauses--; phase = RUN; gate_moves() }
    :: d_step { lowerings > 0 && limit > 1 && !ending ->
        lowerings--; limit--; gate_moves() }
    :: d_step { aborts > 0 && !ending -> aborts--; phase = ABORT; gate_moves() }
    /* close.c, of an abort: the gate and the permits are read, and then it is sent */
    :: d_step { phase == ABORT && !closing && may_close -> closing = 1 }
    :: d_step { phase == ABORT && closing ->
        assert(NO_PERMIT_AT_CLOSE && held == 0);
        phase = CLOSED; gate_moves() }
    od
}

/* Nothing can move any more: who has not ended waits for something that has a name. */
#define stuck(p) (holder[p] != NONE && \
                  (dead[holder[p]] || state[holder[p]] == FAILED))
#define waits_for_permit (held >= limit && (stuck(0) || stuck(SLOTS - 1)))
#define settled(h) (dead[h] || (at[h] == RESTING && (terminal(h) || ending)) || \
                    (at[h] == QUEUED && (!grants || waits_for_permit)))

active proctype monitor()
{
end:
    d_step { timeout ->
        for (i : 0 .. N - 1) {
            assert(ALL_SETTLED && settled(i))
        }
    }
}
