// Two instances, of which the second can be made a replica of the first.
#pragma once
#include "integration/postgres/member.hpp"

namespace twinspan::postgres::testing {

class Pair : public ::testing::Test {
 protected:
  Children children;
  Scratch scratch;
  Authority authority;
  Member east{children, authority, scratch.path(), "east", 1};
  Member west{children, authority, scratch.path(), "west", 2};

  void make_primary(Member& member) {
    ASSERT_OK(initialize(children, member.layout));
    ASSERT_OK(member.start());
    auto session = open_local(member.layout, member.settings.port, kPatience);
    ASSERT_OK(session);
    ASSERT_OK(ensure_replication_role(*session));
  }
  void make_replica(Member& member, Member& upstream) {
    ASSERT_OK(member.configure());
    ASSERT_OK(clone(children, member.layout, upstream.as_upstream(), member.settings.endpoint, nullptr));
    member.settings.upstream = upstream.as_upstream();
    ASSERT_OK(member.start());
    ASSERT_TRUE(eventually([&] { return member.streams_from(upstream); }));
  }
};

}  // namespace twinspan::postgres::testing
