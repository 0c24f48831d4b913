/* lease_txn.pml - of lease.pml: the transactions, and the invariants they are held to.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
/* ---- invariants, after every transaction ---- */

/* In front of each assertion, so that spin says which it was. */
hidden byte I1 = 1, I2 = 1, I3 = 1, I4 = 1, I7 = 1, I8 = 1, I9 = 1, R6 = 1, R7 = 1,
            AT_MOST_K = 1, NO_PERMIT_AT_CLOSE = 1, ALL_SETTLED = 1;

inline check()
{
    n = 0;
    for (i : 0 .. SLOTS - 1) {
        if
        :: holder[i] != NONE ->
            n++;
            assert(I1 && owns(holder[i]) && permit[holder[i]] == i);
            for (j : i + 1 .. SLOTS - 1) {
                assert(I4 && holder[j] != holder[i])
            }
        :: else
        fi
    }
    assert(I1 && n == held);
    n = 0;
    for (i : 0 .. N - 1) {
        assert(I1 && (!owns(i) || (permit[i] != NONE && holder[permit[i]] == i)));
        assert(I7 && failure[i] == (state[i] == FAILED || state[i] == LOST));
        n = n + failure[i]
    }
    assert(I7 && n == failed);
    i = 0; j = 0; n = 0
}

/* ---- writes, and who does not know the znode any more ---- */

inline forget_request(h)
{
    in_flight[h] = NOTHING; in_flight_old[h] = 0; in_flight_permit[h] = 0
}

/* A multi in flight that guards what has moved can do nothing any more. */
inline gate_moves()
{
    for (i : 0 .. N - 1) {
        knows_gate[i] = 0;
        if
        :: in_flight[i] == ACT || in_flight[i] == FAIL || in_flight[i] == RETURN ||
           (in_flight[i] == TAKE && gate_guards_take) -> forget_request(i)
        :: else
        fi
    }
    i = 0; closing = 0; stop_breaking()
}

inline record_becomes(h, next)
{
    assert(I8 && state[h] != EXCLUDED && (state[h] != DONE || next == DONE));
    state[h] = next;
    knows_record[h] = 0;
    if
    :: !unguarded(h) -> forget_request(h)
    :: else
    fi;
#ifndef BREAK_WITHOUT_RECORD_CAS
    if
    :: breaking == h -> stop_breaking()
    :: else
    fi
#endif
}

inline stop_breaking()
{
    breaking = NONE; breaking_permit = NONE
}

inline delete_permit(p)
{
    holder[p] = NONE; held--
}

inline has_no_permit(h)
{
    permit[h] = NONE; disrupted[h] = 0; suspect[h] = 0
}

inline next_attempt(h)
{
    visit_current[h] = 0; journal_current[h] = 0; acted[h] = 0; acted_back[h] = 0
}

inline count_failure(h)
{
#ifndef UNCOUNTED_FAILURE
    failed++;
    if
    :: failed > MAX_FAILED && grants -> phase = PAUSE
    :: else
    fi;
    gate_moves();
#endif
    failure[h] = 1
}

inline uncount_failure(h)
{
    failed--; failure[h] = 0; gate_moves()
}

/* ---- the transactions: what they do where their guards hold ---- */

/* set(record, waiting), create(queue/t-) */
inline do_enqueue(h, session)
{
    record_becomes(h, WAITING);
    ticket[h] = session;
    check()
}

/* check(gate), create(permits/p), set(record, holding), delete(ticket) */
inline do_take(h, p)
{
    assert(I3 && grants);
    record_becomes(h, HOLDING);
    holder[p] = h; held++; permit[h] = p; ticket[h] = 0;
    next_attempt(h);
    assert(I2 && held <= limit && p < limit);
    check()
}

/* check(gate), set(record) */
inline do_act(h)
{
    record_becomes(h, HOLDING);
    disrupted[h] = 1;
    check()
}

/* set(record, done), delete(permits/p), and the arrival, which is barrier.pml's */
inline do_release(h, p)
{
    assert(R6 && (broken[h] || (!acting[holder[p]] && right[holder[p]])));
    record_becomes(h, DONE);
    delete_permit(p);
    has_no_permit(h);
    check()
}

/* set(record, idle), delete(permits/p) */
inline do_give_back(h, p)
{
    assert(R6 && (broken[h] || !acting[h]));
    record_becomes(h, IDLE);
    delete_permit(p);
    has_no_permit(h);
    check()
}

/* set(gate), set(record, failed), create(failed/h), delete(permits/p) if healthy */
inline do_fail(h, p)
{
    record_becomes(h, FAILED);
    count_failure(h);
    if
    :: healthy[h] || unhealthy_frees ->
        assert(R6 && (broken[h] || (!acting[h] && healthy[h])));
        delete_permit(p);
        has_no_permit(h)
    :: else -> suspect[h] = 0
    fi;
    check()
}

/* set(gate), set(record, holding), delete(failed/h) */
inline do_return(h)
{
    record_becomes(h, HOLDING);
    uncount_failure(h);
    check()
}
