# shellcheck shell=bash
# forms.sh - which models are run, and what must come of it.
#
# SPDX-License-Identifier: Apache-2.0
#
# NAME KIND MODEL RULE FLAGS. KIND: holds - every invariant in every state; cycles - there
# is no way round, so that every run comes to an end; caught - a rule of the protocol is
# broken (the first of FLAGS), and the invariant RULE must say so. Names that begin with
# long- are run with --long only.

forms() {
    grep -v '^$' <<'FORMS'
lease-replies            holds  lease - -DLOST_REPLIES=2 -DPAUSES=2 -DFAILURES=1
lease-crashes            holds  lease - -DCRASHES=2 -DEXPIRIES=1 -DFAILURES=1 -DPAUSES=1
lease-orders             holds  lease - -DFAILURES=1 -DCRASHES=1 -DRETRIES=1 -DBREAKS=1 -DEXCLUSIONS=1 -DPAUSES=2
lease-lost               holds  lease - -DEXPIRIES=1 -DDEATHS=1 -DBREAKS=1 -DRETRIES=1 -DPAUSES=1
lease-abort              holds  lease - -DABORTS=1 -DCRASHES=1 -DEXPIRIES=1 -DBREAKS=1 -DFAILURES=1
lease-limit              holds  lease - -DN=3 -DK=3 -DLOWERINGS=1
lease-ends               cycles lease - -DLOST_REPLIES=1 -DCRASHES=1 -DEXPIRIES=1 -DFAILURES=1 -DPAUSES=1
lease-no-gate-check      caught lease I3 -DNO_GATE_CHECK -DPAUSES=1
lease-shared-permit      caught lease I2 -DNON_EXCLUSIVE_PERMIT
lease-one-more           caught lease I2 -DK_PLUS_ONE
lease-any-free           caught lease I2 -DANY_FREE_PERMIT -DN=3 -DK=3 -DLOWERINGS=1
lease-free-on-expiry     caught lease I1 -DRELEASED_ON_EXPIRY -DEXPIRIES=1
lease-late-journal       caught lease I9 -DJOURNAL_AFTER_ACT -DCRASHES=1
lease-blind-break        caught lease I8 -DBREAK_WITHOUT_RECORD_CAS -DBREAKS=1
lease-lost-frees         caught lease I9 -DLOST_FREES_PERMIT -DEXPIRIES=1 -DMAX_FAILED=1
lease-permit-version     caught lease R6 -DPERMIT_VERSION_GUARD -DLOST_REPLIES=1
lease-stale-leave        caught lease R7 -DSTALE_LEAVE -DPAUSES=1
lease-trusted-reply      caught lease I9 -DTRUST_LOST_REPLY -DLOST_REPLIES=1
lease-blind-leave        caught lease I8 -DLEAVE_WITHOUT_RECORD_CAS -DLOST_REPLIES=1
lease-blind-return       caught lease I8 -DRETURN_WITHOUT_RECORD_CAS -DEXPIRIES=1 -DBREAKS=1
lease-uncounted          caught lease I7 -DUNCOUNTED_FAILURE -DFAILURES=1
lease-forgotten-failure  caught lease I9 -DFAILURE_NOT_JOURNALED -DFAILURES=1 -DCRASHES=1
lease-unhealthy-frees    caught lease R6 -DUNHEALTHY_FREES -DFAILURES=1
lease-blind-close        caught lease NO_PERMIT_AT_CLOSE -DBLIND_CLOSE -DABORTS=1

barrier-wave             holds  barrier - -DN=3 -DFOLLOWER=1 -DCRASHES=1
barrier-orders           holds  barrier - -DFAILURES=1 -DRETRIES=1 -DREMOVALS=1 -DPAUSES=1 -DFOLLOWER=1 -DCRASHES=1
barrier-author-dies      holds  barrier - -DN=3 -DDEATHS=1 -DREMOVALS=1 -DFAILURES=1
barrier-replies          holds  barrier - -DLOST_REPLIES=2 -DCRASHES=1 -DFAILURES=1 -DRETRIES=1
barrier-by-watch         holds  barrier - -DN=3 -DRECHECKS=0 -DFOLLOWER=1
barrier-ends             cycles barrier - -DCRASHES=1 -DFAILURES=1 -DRETRIES=1 -DREMOVALS=1
barrier-early            caught barrier I6 -DEARLY_BARRIER
barrier-late-watch       caught barrier NO_WAKE_UP_MISSED -DWATCH_AFTER_LOOK -DRECHECKS=0
barrier-no-recheck       caught barrier NO_WAKE_UP_MISSED -DRECHECKS=0 -DDEATHS=1
barrier-silent-failure   caught barrier NO_WAKE_UP_MISSED -DFAIL_DOES_NOT_ARRIVE -DFAILURES=1
barrier-silent-removal   caught barrier NO_WAKE_UP_MISSED -DREMOVAL_DOES_NOT_ARRIVE -DREMOVALS=1
barrier-quiet-retry      caught barrier ALL_ENDED -DRETRY_LEAVES_GATE -DFAILURES=1 -DRETRIES=1
barrier-forgotten-retry  caught barrier ALL_ENDED -DCLOSE_IGNORES_RETRIES -DFAILURES=1 -DRETRIES=1
barrier-blind-close      caught barrier NO_PERMIT_AT_CLOSE -DBLIND_CLOSE -DFAILURES=1
long-lease-everything    holds  lease - -DLOST_REPLIES=1 -DCRASHES=1 -DEXPIRIES=1 -DFAILURES=1 -DPAUSES=2 -DBREAKS=1 -DRETRIES=1
long-lease-three         holds  lease - -DN=3 -DLOST_REPLIES=1 -DCRASHES=1 -DDEATHS=1 -DBREAKS=1
long-lease-two-permits   holds  lease - -DN=3 -DK=2 -DLOST_REPLIES=1 -DCRASHES=1 -DEXPIRIES=1
long-lease-lowered       holds  lease - -DN=3 -DK=3 -DLOWERINGS=2 -DLOST_REPLIES=1 -DPAUSES=1
long-barrier-wave        holds  barrier - -DN=3 -DCRASHES=2 -DLOST_REPLIES=1
long-barrier-orders      holds  barrier - -DFAILURES=2 -DRETRIES=2 -DREMOVALS=1 -DCRASHES=1 -DPAUSES=2
long-barrier-deaths      holds  barrier - -DN=3 -DDEATHS=2 -DREMOVALS=1 -DFAILURES=1
FORMS
}
