// Two listings in the order of their keys, walked side by side.
#pragma once
#include "s3/bucket.hpp"

namespace twinspan::s3 {

// A stream has `Result<const Listed*> peek()` (nullptr: at its end) and `void pop()`. `visit(source, target)` gets
// every key once, in order: one of the two is null where the other side lacks the key. It may end the walk by an error.
// Nothing may be concluded from a walk that ended with one.
template <class Source, class Target, class Visit>
Status merge(Source& source, Target& target, Visit&& visit) {
  for (;;) {
    const Result<const Listed*> from = source.peek();
    if (!from) return std::unexpected(from.error());
    const Result<const Listed*> to = target.peek();
    if (!to) return std::unexpected(to.error());
    if (!*from && !*to) return {};
    const int order = !*from ? 1 : !*to ? -1 : (*from)->key.compare((*to)->key);
    if (Status visited = visit(order <= 0 ? *from : nullptr, order >= 0 ? *to : nullptr); !visited) return visited;
    if (order <= 0) source.pop();
    if (order >= 0) target.pop();
  }
}

}  // namespace twinspan::s3
