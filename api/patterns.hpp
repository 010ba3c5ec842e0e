// The patterns of the schemas, matched by hand: each accepts exactly what its regular expression in crds/ does.
#pragma once
#include <string_view>

namespace twinspan::api {

bool is_dns_label(std::string_view text);           // ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$
bool is_dns_label_or_empty(std::string_view text);  // ^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$
bool is_service_name(std::string_view text);        // ^[a-z]([-a-z0-9]*[a-z0-9])?$
bool is_object_name(std::string_view text);         // ^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$
bool is_sql_name(std::string_view text);            // ^[a-z_][a-z0-9_]*$
bool is_word(std::string_view text);                // ^[A-Za-z0-9][-A-Za-z0-9_.@]*$
bool is_variable_name(std::string_view text);       // ^[A-Za-z_][A-Za-z0-9_]*$
bool is_size(std::string_view text);                // ^[0-9]+(\.[0-9]+)?([kMGTPE]|[KMGTPE]i)?$
// ^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][-A-Za-z0-9._]*):[1-9][0-9]{0,4}$
bool is_broker(std::string_view text);
bool is_topic_part(std::string_view text);          // ^[A-Za-z0-9._-]*$
bool is_origin(std::string_view text);              // ^https?://[A-Za-z0-9.:_\[\]-]+$
bool is_log_position(std::string_view text);        // ^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$
bool is_transaction_number(std::string_view text);  // ^[1-9][0-9]{0,18}$
bool is_reason(std::string_view text);              // ^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$
bool is_date_time(std::string_view text);           // RFC 3339

}  // namespace twinspan::api
