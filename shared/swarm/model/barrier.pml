/* barrier.pml - a wave's last barrier and the rollout's end, for spin to exhaust.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is modelled is what is built: barrier.c with its watch, its patience and its
 * rechecks, barrier_offer, the arrivals of release.c, fail.c and host_order.c, retries,
 * close.c read by read, and the runner around them. Versions are bits as in lease.pml;
 * permits are there for everybody, since who gets one is lease.pml's.
 *
 * N members of the last wave, and with FOLLOWER a host that waits for its barrier as
 * the hosts of a next wave would. Members finish, fail - and may keep their permit -,
 * are retried, excluded, broken; processes die anywhere and come back, or never;
 * replies are lost, and the request arrives later, or never; the operator dies between
 * excluding and opening.
 *
 * Checked: I6, I8; that the rollout is closed with nobody at work and no permit held;
 * and, when nothing can move any more, that nobody has missed a wake-up: whoever still
 * waits, or a rollout that is not closed, has a reason with a name (monitor). With
 * RECHECKS 0 that holds as long as nobody dies: the timers are for authors that did.
 */
#ifndef N
#define N 2 /* members */
#endif
#ifndef RECHECKS
#define RECHECKS 1
#endif
#ifndef FOLLOWER
#define FOLLOWER 0
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef LOST_REPLIES
#define LOST_REPLIES 0
#endif
#ifndef FAILURES
#define FAILURES 0
#endif
#ifndef RETRIES
#define RETRIES 0
#endif
#ifndef REMOVALS
#define REMOVALS 0 /* exclude and break */
#endif
#ifndef PAUSES
#define PAUSES 0
#endif

#define NEXT N /* the host of the next wave */
#define NONE 7

/* ---- what ZooKeeper has ---- */

mtype:phase = { RUN, PAUSE, CLOSED }
mtype:record = { IDLE, HOLDING, DONE, FAILED, EXCLUDED }

mtype:phase phase = RUN;
mtype:record state[N] = IDLE;
bit permit[N];
bit retrying[N];
bit arrived[N];
byte arrivals;
byte last_arrived = NONE; /* pzxid of arrived/, by whose it is */
bit open;

/* ---- a host's process ---- */

mtype:runner = { DOWN, READING, WORKING, LOOKING, COUNTING, WATCHING, PATIENT, OPENING,
                 RESTING, OFFERING, OFFER_COUNTING, OFFER_OPENING, CLOSING,
#ifdef WATCH_AFTER_LOOK
                 SETTING_WATCH,
#endif
                 CLOSING_ARRIVALS, CLOSING_RETRIES, CLOSING_PERMITS, CLOSE, PASSED }

mtype:runner at[N + 1] = DOWN;
bit knows_record[N + 1];
bit knows_gate[N + 1]; /* for its close */
bit watches[N + 1];    /* `open` */
bit waited[N + 1];     /* looked before, or was patient: it counts, and creates */
bit opened_last[N + 1];

/* ---- a request whose reply was lost; an operator who has yet to open ---- */

mtype:request = { NOTHING, RELEASE, FAIL, OPEN, CLOSE_ROLLOUT }
mtype:request in_flight[N + 1] = NOTHING;
bit operator_opens;

/* ---- budgets, and what only the monitor knows ---- */

byte crashes = CRASHES, deaths = DEATHS, lost_replies = LOST_REPLIES,
     failures = FAILURES, retries = RETRIES, removals = REMOVALS, pauses = PAUSES;
bit dead[N + 1];
byte started, i, n;
mtype:request request = NOTHING;

/* In front of each assertion, so that spin says which it was. */
hidden byte I6 = 1, I8 = 1, ALL_ENDED = 1, NO_PERMIT_AT_CLOSE = 1,
            NO_WAKE_UP_MISSED = 1;

/* ---- the rules that can be broken ---- */

#ifdef EARLY_BARRIER
#define complete (arrivals >= N - 1)
#else
#define complete (arrivals >= N)
#endif
#ifdef BLIND_CLOSE
#define no_permit true
#else
#define no_permit (permits == 0)
#endif
#ifdef CLOSE_IGNORES_RETRIES
#define no_retry true
#else
#define no_retry (retried == 0)
#endif

#define up(h) (at[h] != DOWN)
#define terminal(h) (state[h] == DONE || state[h] == FAILED || state[h] == EXCLUDED)
#define may_lose_reply(h) (lost_replies > 0 && in_flight[h] == NOTHING)

byte permits, retried; /* children of permits/ and retrying/ */

/* ---- writes, and who does not know the znode any more ---- */

inline gate_moves()
{
    for (i : 0 .. N) {
        knows_gate[i] = 0;
        if
        :: in_flight[i] == FAIL || in_flight[i] == CLOSE_ROLLOUT ->
            in_flight[i] = NOTHING
        :: else
        fi
    }
    i = 0
}

inline record_becomes(h, next)
{
    assert(I8 && state[h] != EXCLUDED && state[h] != DONE);
    state[h] = next;
    knows_record[h] = 0;
    if
    :: in_flight[h] == RELEASE || in_flight[h] == FAIL ->
        in_flight[h] = NOTHING
    :: else
    fi
}

/* create(arrived/h), or set where it exists, which changes no count and no pzxid */
inline arrive(h)
{
    if
    :: !arrived[h] -> arrived[h] = 1; arrivals++; last_arrived = h
    :: else
    fi
}

inline has_permit(h, yes)
{
    permits = permits + yes - permit[h]; permit[h] = yes
}

inline is_retrying(h, yes)
{
    retried = retried + yes - retrying[h]; retrying[h] = yes
}

inline do_release(h)
{
    record_becomes(h, DONE);
    has_permit(h, 0); is_retrying(h, 0);
    arrive(h)
}

inline do_fail(h, keeps)
{
    record_becomes(h, FAILED);
    gate_moves();
    has_permit(h, keeps); is_retrying(h, 0);
#ifndef FAIL_DOES_NOT_ARRIVE
    arrive(h)
#endif
}

inline do_open()
{
    assert(I6 && arrivals == N);
    open = 1
}

/* set(gate, done), set(/current) */
inline do_close()
{
    for (i : 0 .. N - 1) {
        assert(ALL_ENDED && terminal(i) && !retrying[i]);
        assert(NO_PERMIT_AT_CLOSE && !permit[i])
    }
    phase = CLOSED;
    gate_moves()
}

/* ---- a host ---- */

inline lose_reply(h, what)
{
    lost_replies--;
    in_flight[h] = what;
    at[h] = READING
}

inline forget(h)
{
    knows_record[h] = 0; knows_gate[h] = 0; watches[h] = 0; waited[h] = 0
}

/* DONE: its wave's last barrier is its members' to open. FAILED and EXCLUDED: they may
 * have been the last ones. */
inline read_record(h)
{
    forget(h);
    knows_record[h] = 1;
    if
    :: h == NEXT -> at[h] = LOOKING
    :: else -> if
        :: phase == CLOSED && terminal(h) -> at[h] = RESTING
        :: phase != CLOSED && state[h] == DONE -> at[h] = LOOKING
        :: phase != CLOSED && (state[h] == FAILED || state[h] == EXCLUDED) ->
            at[h] = OFFERING
        :: else -> at[h] = WORKING
        fi
    fi
}

inline after_barrier(h)
{
    watches[h] = 0; waited[h] = 0;
    at[h] = (h == NEXT -> PASSED : (opened_last[h] -> CLOSING : RESTING))
}

#define member(h) (h != NEXT)
#define visits(h) (at[h] == WORKING && knows_record[h] && state[h] == HOLDING)
#define its_arrival_was_last(h) (last_arrived == h)
#define worth_a_look (open || complete)
#define closable (open && phase == RUN && permits == 0 && retried == 0)

active [N + 1] proctype host()
{
    byte h = _pid;
end:
    do
    :: d_step { at[h] == DOWN && !dead[h] && (h == NEXT -> FOLLOWER : h <= started) ->
        at[h] = READING;
        if
        :: h == started && h != NEXT -> started++
        :: else
        fi }
    :: d_step { at[h] == READING -> read_record(h) }

    /* Take, visit, and what comes of it */
    :: d_step { at[h] == WORKING && !knows_record[h] -> at[h] = READING }
    :: d_step { at[h] == WORKING && knows_record[h] && state[h] == IDLE &&
                phase == RUN ->
        record_becomes(h, HOLDING); has_permit(h, 1); knows_record[h] = 1 }
    :: d_step { visits(h) -> do_release(h); at[h] = READING }
    :: d_step { visits(h) && may_lose_reply(h) -> lose_reply(h, RELEASE) }
    :: d_step { visits(h) && failures > 0 ->
        failures--; do_fail(h, 0); at[h] = READING }
    :: d_step { visits(h) && failures > 0 -> /* unhealthy */
        failures--; do_fail(h, 1); at[h] = READING }
    :: d_step { visits(h) && failures > 0 && may_lose_reply(h) ->
        failures--; lose_reply(h, FAIL) }

    /* barrier.c */
#ifdef WATCH_AFTER_LOOK /* a watch that is not set by the look itself */
    :: d_step { at[h] == LOOKING ->
        if
        :: open -> after_barrier(h)
        :: else -> at[h] = COUNTING
        fi }
#else
    :: d_step { at[h] == LOOKING -> /* exists(open, watch) */
        if
        :: open -> after_barrier(h)
        :: !open && (member(h) || waited[h]) -> watches[h] = 1; at[h] = COUNTING
        :: else -> watches[h] = 1; waited[h] = 1; at[h] = WATCHING
        fi }
#endif
    :: d_step { at[h] == COUNTING -> /* exists(arrived) */
        if
#ifdef WATCH_AFTER_LOOK
        :: !complete -> at[h] = SETTING_WATCH
#else
        :: !complete -> at[h] = WATCHING
#endif
        :: complete && (its_arrival_was_last(h) || waited[h]) -> at[h] = OPENING
        :: else -> waited[h] = 1; at[h] = PATIENT
        fi }
#ifdef WATCH_AFTER_LOOK
    :: d_step { at[h] == SETTING_WATCH -> watches[h] = !open; at[h] = WATCHING }
#endif
    :: d_step { at[h] == PATIENT -> at[h] = LOOKING }
    :: d_step { (at[h] == WATCHING || at[h] == COUNTING || at[h] == PATIENT) &&
                watches[h] && open -> after_barrier(h) } /* the event */
    :: d_step { at[h] == WATCHING && RECHECKS && worth_a_look -> at[h] = LOOKING }
    :: d_step { at[h] == OPENING -> /* create(open) */
        if
        :: !open -> do_open(); opened_last[h] = member(h)
        :: else
        fi;
        after_barrier(h) }
    :: d_step { at[h] == OPENING && may_lose_reply(h) -> lose_reply(h, OPEN) }

    /* barrier_offer, by hosts that arrived without waiting, and those that recheck */
    :: d_step { at[h] == OFFERING -> at[h] = (open -> CLOSING : OFFER_COUNTING) }
    :: d_step { at[h] == OFFER_COUNTING ->
        at[h] = (complete -> OFFER_OPENING : RESTING) }
    :: d_step { at[h] == OFFER_OPENING ->
        if
        :: !open -> do_open()
        :: else
        fi;
        at[h] = CLOSING }
    :: d_step { at[h] == OFFER_OPENING && may_lose_reply(h) -> lose_reply(h, OPEN) }

    /* close.c, one read after the other */
    :: d_step { at[h] == CLOSING -> knows_gate[h] = 1;
        at[h] = (phase == RUN -> CLOSING_ARRIVALS : RESTING) }
    :: d_step { at[h] == CLOSING_ARRIVALS ->
        at[h] = (arrivals >= N -> CLOSING_RETRIES : RESTING) }
    :: d_step { at[h] == CLOSING_RETRIES ->
        at[h] = (no_retry -> CLOSING_PERMITS : RESTING) }
    :: d_step { at[h] == CLOSING_PERMITS -> at[h] = (no_permit -> CLOSE : RESTING) }
    :: d_step { at[h] == CLOSE ->
        if
        :: knows_gate[h] -> do_close(); at[h] = RESTING
        :: else -> at[h] = CLOSING
        fi }
    :: d_step { at[h] == CLOSE && knows_gate[h] && may_lose_reply(h) ->
        lose_reply(h, CLOSE_ROLLOUT) }

    :: d_step { at[h] == RESTING && h != NEXT && !knows_record[h] -> at[h] = READING }
    :: d_step { at[h] == RESTING && RECHECKS && ((!open && complete) || closable) ->
        at[h] = OFFERING }
    /* Who opened the last barrier looks again soon, whatever the others do. */
    :: d_step { at[h] == RESTING && opened_last[h] && closable -> at[h] = OFFERING }
    od
}

/* ---- everything else that happens ---- */

inline lose_process(h)
{
    at[h] = DOWN; opened_last[h] = 0;
    forget(h)
}

active [N + 1] proctype world()
{
    byte h = _pid - N - 1;
end:
    do
    :: d_step { in_flight[h] != NOTHING -> /* arrives after all */
        request = in_flight[h];
        in_flight[h] = NOTHING;
        if
        :: request == RELEASE -> do_release(h)
        :: request == FAIL -> do_fail(h, 0)
        :: request == OPEN && !open -> do_open()
        :: request == CLOSE_ROLLOUT -> do_close()
        :: else
        fi;
        request = NOTHING }
    :: d_step { in_flight[h] != NOTHING -> in_flight[h] = NOTHING }
    :: d_step { up(h) && crashes > 0 -> crashes--; lose_process(h) }
    :: d_step { !dead[h] && deaths > 0 && (h == NEXT -> FOLLOWER : h < started) ->
        deaths--; lose_process(h); dead[h] = 1 }
    od
}

active [N] proctype operator()
{
    byte h = _pid - 2 * N - 2;
end:
    do
    :: d_step { retries > 0 && state[h] == FAILED && phase != CLOSED ->
        retries--;
        if
        :: permit[h] -> record_becomes(h, HOLDING)
        :: else -> record_becomes(h, IDLE)
        fi;
        is_retrying(h, 1);
#ifndef RETRY_LEAVES_GATE
        gate_moves()
#endif
        }
    :: d_step { removals > 0 && state[h] != DONE && state[h] != EXCLUDED &&
                phase != CLOSED ->
        removals--;
        if
        :: state[h] == FAILED -> gate_moves()
        :: else
        fi;
        record_becomes(h, EXCLUDED);
        has_permit(h, 0); is_retrying(h, 0);
#ifndef REMOVAL_DOES_NOT_ARRIVE
        arrive(h);
#endif
        operator_opens = complete }
    :: d_step { operator_opens ->
        operator_opens = 0;
        if
        :: !open && complete -> do_open()
        :: else
        fi }
    :: d_step { operator_opens -> operator_opens = 0 } /* it dies before */
    :: d_step { h == 0 && pauses > 0 && phase != CLOSED ->
        pauses--; phase = (phase == RUN -> PAUSE : RUN); gate_moves() }
    od
}

/* What may be waited for: a member that is dead and has not arrived, a permit that its
 * holder keeps, an operator's resume. Somebody must be alive to do the rest. */
inline look_for_reasons()
{
    n = 0;
    for (i : 0 .. N - 1) {
        n = n + (dead[i] && !terminal(i)) + permit[i]
    }
    i = 0
}
#define somebody_lives (!dead[0] || !dead[1])

active proctype monitor()
{
end:
    d_step { timeout ->
        assert(NO_WAKE_UP_MISSED && (!complete || open || !somebody_lives));
        assert(NO_WAKE_UP_MISSED &&
               (!open || !FOLLOWER || dead[NEXT] || at[NEXT] == PASSED));
        look_for_reasons();
        assert(NO_WAKE_UP_MISSED &&
               (n > 0 || phase == PAUSE || phase == CLOSED || !somebody_lives));
        for (i : 0 .. N - 1) {
            assert(NO_WAKE_UP_MISSED &&
                   (dead[i] || terminal(i) || phase == PAUSE || n > 0));
            assert(NO_WAKE_UP_MISSED &&
                   (dead[i] || !open || at[i] == RESTING || at[i] == WORKING))
        }
    }
}
