local actions = {}
-- Rehearsals are for policies of S3 links; those have ConfigMaps or names of hosts for clients.
local s3 = obj.spec.configMaps ~= nil or obj.spec.drill ~= nil
actions["rehearse"] = {disabled = not s3}
return actions
