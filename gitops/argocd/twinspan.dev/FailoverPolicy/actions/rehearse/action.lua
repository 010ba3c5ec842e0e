-- Any new value asks for a rehearsal.
local os = require("os")
if obj.metadata.annotations == nil then obj.metadata.annotations = {} end
obj.metadata.annotations["twinspan.dev/drill"] = os.date("!%Y-%m-%dT%XZ")
return obj
