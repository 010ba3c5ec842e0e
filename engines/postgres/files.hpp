// Files that are either the old or the new content, never half of each.
#pragma once
#include <sys/types.h>

#include <string>

#include "core/file.hpp"
#include "core/result.hpp"

namespace twinspan::postgres {

using twinspan::read_file;
// Writes beside `path` and renames over it; on disk before it returns. Answers whether the content changed.
Result<bool> replace_file(const std::string& path, const std::string& content, mode_t mode);
// Makes renames in `directory` durable.
Status sync_directory(const std::string& directory);
// Removes a tree; nothing there is fine.
Status remove_tree(const std::string& path);
bool exists(const std::string& path);

}  // namespace twinspan::postgres
