# SPDX-License-Identifier: Apache-2.0
# clowder_layer(name SOURCES ... LINKS ...): one static library per layer; a layer links
# only the layers below it, so that an upward include of a symbol does not link.
add_library(clowder_flags INTERFACE)
target_compile_features(clowder_flags INTERFACE c_std_11)
target_compile_definitions(clowder_flags INTERFACE _GNU_SOURCE CLOWDER_VERSION="${PROJECT_VERSION}")
target_include_directories(clowder_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(clowder_flags INTERFACE
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
    -Wswitch-enum -Wvla -Wformat=2 -Wundef -Wwrite-strings -Wno-unused-parameter
    $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation> # texts are cut on purpose
    -fno-common -fno-strict-aliasing)
if(CLOWDER_SANITIZE)
    target_compile_options(clowder_flags INTERFACE -fsanitize=address,undefined
        -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(clowder_flags INTERFACE -fsanitize=address,undefined)
endif()
if(CLOWDER_COVERAGE)
    target_compile_options(clowder_flags INTERFACE --coverage)
    target_link_options(clowder_flags INTERFACE --coverage)
endif()
if(CLOWDER_FUZZ)
    target_compile_options(clowder_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined
        -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(clowder_flags INTERFACE -fsanitize=address,undefined)
endif()
if(CLOWDER_FAILPOINTS)
    target_compile_definitions(clowder_flags INTERFACE CLOWDER_FAILPOINTS=1)
endif()

function(clowder_layer name)
    cmake_parse_arguments(arg "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
    add_library(${name} STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC clowder_flags ${arg_LINKS} PRIVATE ${arg_PRIVATE_LINKS})
endfunction()
