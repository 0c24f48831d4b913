/* lease_state.pml - of lease.pml: what there is, and which rules can be broken.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef N
#define N 2 /* hosts */
#endif
#ifndef K
#define K 1 /* permits */
#endif
#ifndef MAX_FAILED
#define MAX_FAILED 0
#endif
#ifndef LOST_REPLIES
#define LOST_REPLIES 0
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef EXPIRIES
#define EXPIRIES 0
#endif
#ifndef FAILURES
#define FAILURES 0
#endif
#ifndef PAUSES
#define PAUSES 0 /* and resumes, together */
#endif
#ifndef LOWERINGS
#define LOWERINGS 0
#endif
#ifndef ABORTS
#define ABORTS 0
#endif
#ifndef BREAKS
#define BREAKS 0
#endif
#ifndef RETRIES
#define RETRIES 0
#endif
#ifndef EXCLUSIONS
#define EXCLUSIONS 0
#endif

#define NONE 7 /* no permit, no host */
#ifdef K_PLUS_ONE
#define ONE_MORE 1
#else
#define ONE_MORE 0
#endif
#define SLOTS (K + ONE_MORE)

/* ---- what ZooKeeper has ---- */

mtype:phase = { RUN, PAUSE, ABORT, CLOSED }
mtype:record = { IDLE, WAITING, HOLDING, DONE, FAILED, LOST, EXCLUDED }

mtype:phase phase = RUN;      /* gate */
byte limit = K;               /* gate */
byte failed;                  /* gate */
mtype:record state[N] = IDLE; /* record */
byte permit[N] = NONE;        /* record */
bit disrupted[N];             /* record */
bit failure[N];               /* failed/<host> exists */
byte holder[SLOTS] = NONE;    /* permits/<i> */
byte held;                    /* so many of them exist */
byte ticket[N];               /* 1: of the present session, 2: of the one before */
bit live[N];

/* ---- a host's process, lost by a crash ---- */

mtype:runner = { DOWN, READING, ENQUEUING, QUEUED, LEAVING, VISITING, RETURNING,
                 RESTING }
mtype:visit = { NO_VISIT, ASK, MAY, NOTED, ACTING, PROVE, GO_BACK, ENDED_DONE,
                ENDED_BACK, ENDED_FAILED }

mtype:runner at[N] = DOWN;
bit knows_record[N];
bit knows_gate[N];      /* since it was read for this take */
byte take[N];           /* knows 0: nothing, 1: gate, 2: permits; 3 + i: tries i */
byte listing[N];        /* of the permits: bit i is set where i was taken */
mtype:visit visit[N] = NO_VISIT;
bit visit_current[N];   /* of the attempt, and so of the token, that the record has */
bit visit_disrupted[N]; /* it has had leave */

/* ---- its disk, and its world ---- */

mtype:journal = { ABSENT, BEGUN, BACK, BACK_BEGUN, SAYS_FAILED }

mtype:journal journal[N] = ABSENT;
bit journal_current[N]; /* of the attempt that the record has */
bit healthy[N];         /* as SAYS_FAILED has it */
bit acting[N];          /* the restart is under way, whoever watches */
bit moved[N];           /* another process runs than the one that was noted */
bit right[N];           /* nothing is left to do */

/* ---- a request whose reply was lost; an order and a closing, read, not sent ---- */

mtype:request = { NOTHING, ENQUEUE, TAKE, ACT, RELEASE, GIVE_BACK, FAIL, RETURN }

mtype:request in_flight[N] = NOTHING;
bit in_flight_old[N]; /* sent in the session before */
byte in_flight_permit[N];
byte breaking = NONE, breaking_permit = NONE;
bit closing;

/* ---- budgets, and what only the monitor knows ---- */

byte lost_replies = LOST_REPLIES, crashes = CRASHES, deaths = DEATHS,
     expiries = EXPIRIES, failures = FAILURES, pauses = PAUSES, lowerings = LOWERINGS,
     aborts = ABORTS, breaks = BREAKS, retries = RETRIES, exclusions = EXCLUSIONS;
bit dead[N];
bit suspect[N];              /* was seen silent, under the permit that it has */
bit broken[N];               /* an operator has taken the risk */
bit acted[N], acted_back[N]; /* in this attempt */
byte started;                /* hosts are alike: each is named when it first starts */
byte i, j, n, slot, session; /* scratch: 0 between steps */
mtype:request request = NOTHING;

/* ---- the rules that can be broken ---- */

#ifdef NO_GATE_CHECK
#define gate_guards_take false
#else
#define gate_guards_take true
#endif
#ifdef NON_EXCLUSIVE_PERMIT
#define permit_is_free(p) true
#else
#define permit_is_free(p) (holder[p] == NONE)
#endif
#ifdef STALE_LEAVE
#define leave_granted true
#else
#define leave_granted grants
#endif
#ifdef UNHEALTHY_FREES
#define unhealthy_frees true
#else
#define unhealthy_frees false
#endif
#ifdef BLIND_CLOSE
#define may_close true
#else
#define may_close (held == 0)
#endif
#if defined(PERMIT_VERSION_GUARD)
#define unguarded(h) (in_flight[h] == RELEASE)
#elif defined(LEAVE_WITHOUT_RECORD_CAS)
#define unguarded(h) (in_flight[h] == ACT)
#elif defined(RETURN_WITHOUT_RECORD_CAS)
#define unguarded(h) (in_flight[h] == RETURN)
#else
#define unguarded(h) false
#endif

#define grants (phase == RUN)
#define ending (phase == ABORT || phase == CLOSED)
#define room (held < limit + ONE_MORE)
#define owns(h) (state[h] == HOLDING || state[h] == LOST || \
                 (state[h] == FAILED && permit[h] != NONE))
#define terminal(h) (state[h] == DONE || state[h] == FAILED || state[h] == EXCLUDED)
#define up(h) (at[h] != DOWN)
#define going_back(h) (journal[h] == BACK || journal[h] == BACK_BEGUN)
