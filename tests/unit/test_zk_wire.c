/* test_zk_wire.c - what may be sent, and what answers mean.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/io/zk_wire.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>
#include <zookeeper/zookeeper.h>

static void paths_are_absolute_printable_and_without_dots(void **state)
{
    const char *const good[] = {"/", "/a", "/a/b-c.d_0", "/a/...", "/a/.b", "/a b"};
    const char *const bad[] = {"",       "a",         "//",      "/a/", "/a//b",
                               "/a/.",   "/./a",      "/a/../b", "/..", "/a\n",
                               "/a\x7f", "/\xc3\xa4", "/a\x1f/b"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(zk_wire_path_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(zk_wire_path_valid(bad[i]));
    assert_false(zk_wire_path_valid(NULL));
}

static void only_modes_that_a_3_4_server_knows_pass(void **state)
{
    for (int flags = 0; flags < 16; flags++) {
        struct zk_op op = {.kind = ZK_OP_CREATE, .path = "/a", .flags = flags};
        int known = ZK_EPHEMERAL | ZK_SEQUENTIAL | ZK_PROTECTED;
        assert_int_equal(zk_wire_op_valid(&op), (flags & ~known) == 0);
    }
}

static void
operations_need_data_where_they_claim_some_and_a_version_from_minus_one(void **state)
{
    struct zk_op op = {.kind = ZK_OP_SET, .path = "/a", .data_len = 1};
    assert_false(zk_wire_op_valid(&op));
    op = (struct zk_op){.kind = ZK_OP_DELETE, .path = "/a", .version = -2};
    assert_false(zk_wire_op_valid(&op));
    op.version = -1;
    assert_true(zk_wire_op_valid(&op));
    op.path = NULL;
    assert_false(zk_wire_op_valid(&op));
}

/* Against what the library itself would put on the wire: the layouts of its protocol.
 */
static void sizes_are_those_of_the_protocol(void **state)
{
    struct zk_op create = {
        .kind = ZK_OP_CREATE, .path = "/ab", .data = "123", .data_len = 3};
    struct zk_op set = {.kind = ZK_OP_SET, .path = "/ab", .data = "123", .data_len = 3};
    struct zk_op del = {.kind = ZK_OP_DELETE, .path = "/ab"};
    struct zk_op all[] = {create, set, del};

    assert_int_equal(zk_wire_read_bytes("/ab"), 8 + 4 + 3 + 1);
    assert_int_equal(zk_wire_op_bytes(&create, 31), 8 + 4 + 3 + 4 + 3 + 31 + 4);
    assert_int_equal(zk_wire_op_bytes(&set, 31), 8 + 4 + 3 + 4 + 3 + 4);
    assert_int_equal(zk_wire_op_bytes(&del, 31), 8 + 4 + 3 + 4);
    assert_int_equal(zk_wire_multi_bytes(all, 3, 31), 8 + 4 * 9 + 49 + 18 + 11);
}

static void whatever_leaves_a_doubt_is_ambiguous(void **state)
{
    const int doubtful[] = {ZCONNECTIONLOSS, ZOPERATIONTIMEOUT,     ZSESSIONEXPIRED,
                            ZSESSIONMOVED,   ZRUNTIMEINCONSISTENCY, ZCLOSING,
                            ZSYSTEMERROR,    ZAUTHFAILED,           -122};
    const int definite[] = {
        ZOK,     ZNONODE,     ZNODEEXISTS,  ZBADVERSION,    ZNOTEMPTY,
        ZNOAUTH, ZINVALIDACL, ZTHROTTLEDOP, ZUNIMPLEMENTED, ZAPIERROR};

    for (size_t i = 0; i < sizeof(doubtful) / sizeof(doubtful[0]); i++)
        assert_int_equal(zk_wire_result(doubtful[i]), ZK_AMBIGUOUS);
    for (size_t i = 0; i < sizeof(definite) / sizeof(definite[0]); i++)
        assert_int_not_equal(zk_wire_result(definite[i]), ZK_AMBIGUOUS);
    assert_int_equal(zk_wire_result(ZOK), ZK_OK);
    assert_int_equal(zk_wire_result(ZBADVERSION), ZK_BAD_VERSION);
}

static void the_guilty_operation_is_the_first_with_a_code_of_its_own(void **state)
{
    const int third[] = {0, 0, ZNONODE, -2, -2};
    const int first[] = {ZNONODE, -2};
    const int whole[] = {ZINVALIDACL, ZINVALIDACL, ZINVALIDACL};
    const int only[] = {ZBADVERSION};

    assert_int_equal(zk_wire_guilty_op(ZNONODE, third, 5), 2);
    assert_int_equal(zk_wire_guilty_op(ZNONODE, first, 2), 0);
    assert_int_equal(zk_wire_guilty_op(ZINVALIDACL, whole, 3), -1);
    assert_int_equal(zk_wire_guilty_op(ZBADVERSION, only, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_absolute_printable_and_without_dots),
        cmocka_unit_test(only_modes_that_a_3_4_server_knows_pass),
        cmocka_unit_test(
            operations_need_data_where_they_claim_some_and_a_version_from_minus_one),
        cmocka_unit_test(sizes_are_those_of_the_protocol),
        cmocka_unit_test(whatever_leaves_a_doubt_is_ambiguous),
        cmocka_unit_test(the_guilty_operation_is_the_first_with_a_code_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
