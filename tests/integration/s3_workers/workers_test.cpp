// One link over several workers. A worker hangs, dies, there come to be fewer and more of them, all while objects are
// written.
#include "workers_world.hpp"

namespace twinspan::sandbox {
namespace {

TEST_F(WorkersTest, DivideTheKeysAndStayWholeWhileTheyComeAndGo) {
  write(300);
  apply_link(3);
  ASSERT_TRUE(all_there());
  ASSERT_TRUE(eventually([&] { return shares() == "0:[0] 1:[1] 2:[2]"; })) << shares();
  ASSERT_TRUE(eventually([&] {
    const Json seen = member_of(status(), "sync");
    return integer_of(seen, "total") == 300 && seen.contains("completedAt");
  })) << status().dump(1);

  // One hangs: what is its share arrives nevertheless.
  ASSERT_TRUE(cluster_->runtime().freeze(pod(1)));
  write(60);
  ASSERT_TRUE(all_there());
  ASSERT_TRUE(eventually([&] { return shares() == "0:[0,1] 2:[2]" || shares() == "0:[0] 2:[1,2]"; })) << shares();
  // It is killed, comes back, and has its share again.
  ASSERT_TRUE(cluster_->runtime().kill(pod(1)));
  ASSERT_TRUE(eventually([&] { return shares() == "0:[0] 1:[1] 2:[2]"; })) << shares();

  for (const int workers : {1, 2}) {
    write(50);
    apply_link(workers);
    write(50);
    ASSERT_TRUE(eventually([&] { return shares() == (workers == 1 ? "0:[0]" : "0:[0] 1:[1]"); })) << shares();
    write(20);
    ASSERT_TRUE(all_there());
  }
  const Json seen = verify("end");
  EXPECT_EQ(member_of(seen, "consistent"), true) << seen;
  EXPECT_EQ(integer_of(seen, "checked"), written_) << seen;
  EXPECT_EQ(nyc_.uploads(kTarget), 0u);
  // Nothing of the third is left.
  EXPECT_TRUE(eventually(
      [&] { return !cluster_->client().get(kube::kPods, pod(2)) && !cluster_->client().get(kube::kLeases, pod(2)); }));
}

}  // namespace
}  // namespace twinspan::sandbox
