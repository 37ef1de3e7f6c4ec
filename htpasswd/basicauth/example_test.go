package basicauth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/registryctl/registryctl/htpasswd/basicauth"
)

// A server that lets in the users of a file, remembers each for a minute, and
// says when the file cannot be read.
func Example() {
	users := &basicauth.Authenticator{
		Path:     "testdata/registry.htpasswd", // elton:d0cker
		CacheTTL: time.Minute,
		OnReload: func(r basicauth.LoadResult) {
			if r.Err != nil {
				log.Printf("the last good users stay in use: %v", r.Err)
			}
			for _, refused := range r.Refused {
				log.Printf("user %q on line %d cannot log in: %s", refused.User, refused.Line, refused.Reason)
			}
		},
	}
	if err := users.Reload(context.Background()); err != nil {
		log.Fatal(err) // not a good start
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _ := basicauth.User(r.Context())
		fmt.Fprintf(w, "hello %s", name)
	})
	server := users.Middleware("registry")(hello)

	for _, password := range []string{"d0cker", "docker"} {
		r := httptest.NewRequest("GET", "/v2/", nil)
		r.SetBasicAuth("elton", password)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		fmt.Printf("%d %q %s\n", w.Code, w.Body, w.Header()["Www-Authenticate"])
	}
	// Output:
	// 200 "hello elton" []
	// 401 "Unauthorized\n" [Basic realm="registry", charset="UTF-8"]
}

// What is not HTTP asks for itself, and decides how long it waits.
func ExampleAuthenticator_Verify() {
	users := &basicauth.Authenticator{Path: "testdata/registry.htpasswd"}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, login := range [][2]string{{"elton", "d0cker"}, {"elton", "docker"}, {"francis", "d0cker"}} {
		err := users.Verify(ctx, login[0], login[1])
		switch {
		case err == nil:
			fmt.Println("welcome")
		case errors.Is(err, basicauth.ErrUnauthorized):
			fmt.Println(err)
		default:
			fmt.Println("come again later:", err)
		}
	}
	// Output:
	// welcome
	// wrong user name or password
	// wrong user name or password
}

// The text may come from anywhere, a database, say.
func ExampleAuthenticator_Load() {
	var users basicauth.Authenticator
	load := func(text string) {
		if err := users.Load(strings.NewReader(text)); err != nil {
			fmt.Println(err)
		}
	}
	load("elton:$2y$05$saIVQ.pV.9EPOsLpNP04puj0Mf9r2wMHeGg/XViGhPfdoxb1oaCPO\n")
	load("not an htpasswd file\n")
	fmt.Println(users.Verify(context.Background(), "elton", "d0cker"))
	// Output:
	// line 1: no colon in the line
	// <nil>
}
