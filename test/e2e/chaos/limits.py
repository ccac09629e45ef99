"""Upstreams that enforce a limit, say what is left of it as services do, and count whom they refuse. One thread for all of them: /NAME/… is the
limit of that name, whatever comes behind it."""
import asyncio
import json
import math
import threading
import time


class Count:
    """No limit: it looks at the clock alone. `dear` requests (?cost=5) have a cost."""

    def __init__(self):
        self.came, self.paths, self.refused = [], [], 0  # (when, cost)

    def takes(self, now, cost):
        return True

    def says(self, now, cost):
        return {}, {}

    def refusal(self, now):
        return 429, {}, {}

    def answer(self, cost):
        now = time.monotonic()
        self.came.append((now, cost))
        if self.takes(now, cost):
            headers, body = self.says(now, cost)
            return 200, headers, body
        self.refused += 1
        status, headers, body = self.refusal(now)
        return status, {**self.says(now, cost)[0], **headers}, body

    def most_in(self, seconds):
        """The most that came in any interval of this length."""
        if seconds <= 0:
            return 0
        most, first, total = 0, 0, 0
        for now, cost in self.came:
            total += cost
            while self.came[first][0] <= now - seconds:
                total -= self.came[first][1]
                first += 1
            most = max(most, total)
        return most


class Window(Count):
    """So many in each window; it begins with the first request, or (`aligned`) at a whole multiple of its length by the clock on the wall."""

    def __init__(self, limit, seconds, aligned=False):
        super().__init__()
        self.limit, self.seconds, self.aligned, self.used, self.end = limit, seconds, aligned, 0, 0

    def takes(self, now, cost):
        if now >= self.end:
            wall = time.time()
            self.used = 0
            self.end = now + ((wall // self.seconds + 1) * self.seconds - wall if self.aligned else self.seconds)
        if self.used + cost > self.limit:
            return False
        self.used += cost
        return True

    def left(self):
        return self.limit - self.used

    def at(self, now):
        """The end, in Unix seconds."""
        return round(time.time() + self.end - now)


class Draft(Window):
    def says(self, now, cost):
        return {"RateLimit-Policy": '"default";q=%d;w=%d' % (self.limit, self.seconds),
                "RateLimit": '"default";r=%d;t=%d' % (self.left(), math.ceil(self.end - now))}, {}


class Draft7(Window):
    def says(self, now, cost):
        return {"RateLimit-Policy": "%d;w=%d" % (self.limit, self.seconds),
                "RateLimit": "limit=%d, remaining=%d, reset=%d" % (self.limit, self.left(), math.ceil(self.end - now))}, {}


class GitHub(Window):
    def says(self, now, cost):
        return {"X-RateLimit-Limit": self.limit, "X-RateLimit-Remaining": self.left(), "X-RateLimit-Used": self.used, "X-RateLimit-Resource": "core",
                "X-RateLimit-Reset": self.at(now)}, {}

    def refusal(self, now):
        return 403, {}, {"message": "API rate limit exceeded"}


class Points(Window):
    """GraphQL at GitHub: each query costs 5."""

    def answer(self, cost):
        return super().answer(5)

    def says(self, now, cost):
        reset = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.at(now)))
        return {}, {"data": {"rateLimit": {"limit": self.limit, "cost": cost, "remaining": self.left(), "resetAt": reset}}}


class Discord(Window):
    def says(self, now, cost):
        return {"X-RateLimit-Bucket": "abcd", "X-RateLimit-Limit": self.limit, "X-RateLimit-Remaining": self.left(),
                "X-RateLimit-Reset-After": "%.3f" % (self.end - now)}, {}

    def refusal(self, now):
        return 429, {}, {"message": "You are being rate limited.", "retry_after": round(self.end - now, 3), "global": False}


class Leaky(Count):
    """A bucket that fills with what is asked for, and leaks."""

    def __init__(self, limit, per_second, each=1):
        super().__init__()
        self.limit, self.per_second, self.each, self.used, self.last = limit, per_second, each, 0.0, 0.0

    def answer(self, cost):
        return super().answer(self.each)

    def takes(self, now, cost):
        self.used, self.last = max(0.0, self.used - (now - self.last) * self.per_second), now
        if self.used + cost > self.limit:
            return False
        self.used += cost
        return True


class Shopify(Leaky):
    def says(self, now, cost):
        return {"X-Shopify-Shop-Api-Call-Limit": "%d/%d" % (math.ceil(self.used), self.limit)}, {}

    def refusal(self, now):
        return 429, {"Retry-After": "2.0"}, {}


class Throttle(Leaky):
    """GraphQL at Shopify."""

    def says(self, now, cost):
        return {}, {"data": {}, "extensions": {"cost": {"requestedQueryCost": cost, "actualQueryCost": cost, "throttleStatus": {
            "maximumAvailable": self.limit, "currentlyAvailable": math.floor(self.limit - self.used), "restoreRate": self.per_second}}}}


class Unchanged(GitHub):
    """Every answer is a 304; whether it costs anything is the upstream's to say."""

    def __init__(self, limit, seconds, free):
        super().__init__(limit, seconds)
        self.free = free

    def answer(self, cost):
        status, headers, body = super().answer(0 if self.free else 1)
        return (304 if status == 200 else status), headers, body


class Upstream:
    def __init__(self, **limits):
        self.limits, self.delay = limits, 0.002  # delay: of each answer; when it gets less, those that wait are answered
        self.loop, self.running, self.most = asyncio.new_event_loop(), {}, {}
        self.late = 0  # seconds: the longest that this thread was kept from looking at what had come
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

        async def begin():
            server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=512)
            return server.sockets[0].getsockname()[1]
        self.loop.call_soon_threadsafe(self.look, self.loop.time())
        self.url = "http://127.0.0.1:%d" % asyncio.run_coroutine_threadsafe(begin(), self.loop).result(20)

    def look(self, due):
        now = self.loop.time()
        self.late = max(self.late, now - due)
        self.loop.call_later(0.005, self.look, now + 0.005)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                path = head[0].split(" ")[1]
                name = path.split("/")[1]
                self.limits[name].paths.append(path)
                self.running[name] = self.running.get(name, 0) + 1
                self.most[name] = max(self.most.get(name, 0), self.running[name])
                try:
                    status, headers, body = self.limits[name].answer(5 if "cost=5" in path else 1)
                    came = time.monotonic()
                    while (left := came + self.delay - time.monotonic()) > 0:
                        await asyncio.sleep(min(left, 0.01))
                finally:
                    self.running[name] -= 1
                text = b"" if status == 304 else json.dumps(body).encode()
                now = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
                lines = ["HTTP/1.1 %d Limit" % status, "Content-Type: application/json", "Date: " + now]
                lines += ["%s: %s" % pair for pair in headers.items()] + ([] if status == 304 else ["Content-Length: %d" % len(text)])
                writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + text)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.transport.abort()
