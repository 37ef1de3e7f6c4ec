package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/registryctl/registryctl/htpasswd/basicauth"
)

const (
	flooders = 1000
	ahead    = 100 // of them come before the user who is not in the cache
	pause    = 2 * time.Millisecond
)

// flood asks a server with 1,000 wrong passwords at once, over loopback, and
// measures the logins of a user who is in the cache, before and meanwhile, and that
// of one who is not.
func flood(r *report, path string) {
	put(path, "elton:"+hash(password, 10)+"\nfrancis:"+hash(password, 10)+"\n")
	s := newServer(path)
	comparison := s.login("elton")
	end := time.After(2 * time.Second)
	quiet := s.sample(func() bool { return ended(end) })

	ctx, cancel := context.WithCancel(context.Background())
	var flood sync.WaitGroup
	pour := func(from, to int) {
		for i := from; i < to; i++ {
			flood.Go(func() { s.flood(ctx, i) })
		}
		s.waitFor(to)
	}
	pour(0, ahead)
	var behind time.Duration
	answered := make(chan struct{})
	go func() {
		behind = s.login("francis")
		close(answered)
	}()
	s.waitFor(ahead + 1)
	pour(ahead, flooders)
	flooded := s.sample(func() bool { return ended(answered) })
	cancel()
	flood.Wait()
	s.http.Close()

	const p99 = 10 * time.Millisecond
	row := func(what string, times []time.Duration) {
		r.row(what, fmt.Sprint(len(times)), round(median(times)), round(percentile(times, 99)))
	}
	r.row("1,000 wrong passwords at cost 10 at a time", "logins", "median", "p99")
	row("in the cache, before", quiet)
	row("in the cache", flooded)
	r.row("wanted", "", "< "+round(10*median(quiet)), "< "+p99.String())
	r.want(median(flooded) < 10*median(quiet), "flood: a login in the cache takes %v, and %v else", median(flooded), median(quiet))
	r.want(percentile(flooded, 99) < p99, "flood: one of a hundred logins in the cache takes %v", percentile(flooded, 99))

	// Those ahead, one that came just before and its own; and half as much again, as
	// the server and its clients share the cores.
	limit := comparison * (ahead + 2) / time.Duration(max(1, runtime.GOMAXPROCS(0)/2)) * 3 / 2
	r.row(fmt.Sprintf("not in the cache, %d ahead in the queue", ahead), "1", round(behind), "")
	r.row("wanted", "", "< "+round(limit), "")
	r.want(behind < limit, "flood: the login behind %d others takes %v, not %v", ahead, behind, limit)
}

func round(d time.Duration) string { return d.Round(time.Microsecond).String() }

func ended[T any](c <-chan T) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// A server has the users of a file, and knows how many requests it has not
// answered yet.
type server struct {
	http    *httptest.Server
	client  *http.Client
	pending atomic.Int64
}

func newServer(path string) *server {
	users := &basicauth.Authenticator{Path: path, CacheTTL: time.Hour, MaxWait: time.Hour} // the queue is what is measured
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	handler := users.Middleware("flood")(hello)
	s := &server{}
	s.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.pending.Add(1)
		defer s.pending.Add(-1)
		handler.ServeHTTP(w, r)
	}))
	s.client = s.http.Client()
	s.client.Transport.(*http.Transport).MaxIdleConnsPerHost = flooders
	return s
}

// waitFor returns when so many requests are waiting for their answer.
func (s *server) waitFor(n int) {
	for s.pending.Load() < int64(n) {
		time.Sleep(time.Millisecond)
	}
}

func (s *server) ask(ctx context.Context, user, password string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.http.URL, nil)
	if err != nil {
		return 0, err
	}
	req.SetBasicAuth(user, password)
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode, err
}

// login returns how long it takes the user to get in.
func (s *server) login(user string) time.Duration {
	start := time.Now()
	status, err := s.ask(context.Background(), user, password)
	check(err)
	if status != http.StatusOK {
		check(fmt.Errorf("%s gets status %d", user, status))
	}
	return time.Since(start)
}

// sample returns the times of logins that are in the cache.
func (s *server) sample(ended func() bool) (times []time.Duration) {
	for !ended() {
		times = append(times, s.login("elton"))
		time.Sleep(pause)
	}
	return times
}

// flood tries one wrong password after the other, for a user who is there or not.
func (s *server) flood(ctx context.Context, number int) {
	user := []string{"elton", "nobody"}[number%2]
	for try := 0; ; try++ {
		status, err := s.ask(ctx, user, fmt.Sprintf("wrong %d %d", number, try))
		if ctx.Err() != nil {
			return
		}
		check(err)
		if status != http.StatusUnauthorized {
			check(fmt.Errorf("a wrong password gets status %d", status))
		}
	}
}
