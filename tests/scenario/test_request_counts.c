/* test_request_counts.c - what a rollout costs ZooKeeper, pinned by count.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Three leased stages, of which `restart` asks twice for leave to disrupt. A host's
 * requests that are not a stage's: sign of life, inventory, /current before and during
 * the rollout and at its end, manifest, record, the watch on its record at the end; and
 * of one host the end of the rollout.
 */
#include "tests/scenario/story.h"
#include "tests/unit/cmocka_all.h"

enum { STAGES = 3, ONCE = 9, CLOSING = 6 };
enum { GOAL_PER_STAGE = 12 };

struct cost {
    double mean; /* requests of a host, of a leased stage */
    double reply_bytes, watch_events;
    uint64_t most; /* requests of the costliest host */
};

static struct cost cost_with(struct sim_swarm_config config)
{
    config.seed = 7;
    struct story s = story_begin(config);
    struct cost cost = {0};
    int hosts = config.hosts;

    story_runs_to_its_end(&s);

    for (int i = 0; i < hosts; i++) {
        struct model_zk_counts n = model_zk_client_counts(sim_swarm_client(s.swarm, i));
        uint64_t requests = n.reads + n.writes;
        cost.mean += ((double)requests - ONCE) / STAGES / hosts;
        cost.reply_bytes += (double)n.reply_bytes / hosts;
        cost.watch_events += (double)n.events / hosts;
        cost.most = requests > cost.most ? requests : cost.most;
    }
    print_message(
        "hosts=%d restart=%d install=%d act_ms=%d: requests per host and stage %.2f, "
        "of one host at most %d, reply bytes %.0f, events %.2f\n",
        hosts, config.restarts, config.installs, (int)config.act_ms, cost.mean,
        (int)cost.most, cost.reply_bytes, cost.watch_events);
    story_end(&s);
    return cost;
}

static struct cost cost_of(int hosts, int restarts, int installs, int64_t act_ms)
{
    return cost_with((struct sim_swarm_config){
        .hosts = hosts, .restarts = restarts, .installs = installs, .act_ms = act_ms});
}

static void a_host_costs_at_most_twelve_requests_per_leased_stage(void **state)
{
    struct cost one = cost_of(60, 1, 10, 10);
    struct cost tenth = cost_of(60, 6, 6, 10);

    assert_true(one.mean <= 9.1);
    assert_true(tenth.mean <= 9.2);
    assert_true(one.most <= ONCE + CLOSING + GOAL_PER_STAGE * STAGES);
    assert_true(tenth.most <= ONCE + CLOSING + GOAL_PER_STAGE * STAGES);
}

/* However many there are: one ticket after the other is granted. */
static void many_permits_cost_no_more_than_few(void **state)
{
    struct cost tenth = cost_of(200, 20, 20, 10);
    struct cost fifth = cost_of(400, 80, 80, 10);
    struct cost scarce = cost_of(200, 20, 20, 1000);

    assert_true(tenth.mean <= 9.1);
    assert_true(fifth.mean <= 9.1);
    assert_true(scarce.mean <= 9.9); /* a listing for each permit that is given back */
}

static void a_host_costs_the_same_in_a_small_swarm_and_in_a_large_one(void **state)
{
    struct cost small = cost_of(30, 2, 10, 10);
    struct cost large = cost_of(300, 2, 10, 10);

    assert_true(large.mean < small.mean + 0.3);
    assert_true(large.reply_bytes < small.reply_bytes * 1.05);
    assert_true(large.watch_events < small.watch_events + 1);
}

/* One ticket and one permit more, both of the zone; nothing of all zones. */
static void a_zone_costs_a_host_one_more_hand_off(void **state)
{
    struct sim_swarm_config config = {
        .hosts = 60, .restarts = 6, .installs = 6, .zones = 12, .act_ms = 10};
    struct cost plain = cost_with(config);
    config.zone_restarts = 1;
    struct cost zoned = cost_with(config);
    config.zones = 6;
    struct cost full = cost_with(config);

    assert_true((zoned.mean - plain.mean) * STAGES <= 7);
    assert_true((full.mean - plain.mean) * STAGES <= 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_costs_at_most_twelve_requests_per_leased_stage),
        cmocka_unit_test(many_permits_cost_no_more_than_few),
        cmocka_unit_test(a_zone_costs_a_host_one_more_hand_off),
        cmocka_unit_test(a_host_costs_the_same_in_a_small_swarm_and_in_a_large_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
