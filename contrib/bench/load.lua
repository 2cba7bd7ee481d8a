-- Load of the door for wrk: the requests of a file, in order, each once.
-- File: lines "GET <path>" or "POST <path> <body>".  When it is exhausted the last line is repeated.

local requests, at = {}, -1

function init(args)
   for line in io.lines(args[1]) do
      local method, path, body = line:match("^(%S+) (%S+) ?(.*)$")
      local head = method .. " " .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
      if method == "POST" then
         head = head .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n"
      end
      requests[#requests + 1] = head .. "\r\n" .. body
   end
end

-- wrk asks once for a request that it does not send, to see whether requests are pipelined.
function request()
   at = at + 1
   if at == 0 then return requests[1] end
   return requests[math.min(at, #requests)]
end

function done(summary, latency)
   local errors = summary.errors
   local broken = errors.connect + errors.read + errors.write + errors.timeout
   io.write(string.format('LOAD {"requests": %d, "wall_us": %d, "refused": %d, "broken": %d, "p50_us": %d, "p99_us": %d}\n',
      summary.requests, summary.duration, errors.status, broken, latency:percentile(50), latency:percentile(99)))
end
