package main

import (
	"context"
	"net/http"
	"time"

	auth "github.com/abbot/go-http-auth"
	htpasswd "github.com/tg123/go-htpasswd"

	"github.com/registryctl/registryctl/htpasswd/basicauth"
)

// A library opens a file, reads it, and gives a function that says whether a
// password lets a user in.
type library struct {
	name string
	open func(path string) (login func(user, password string) bool, err error)
}

var (
	ours   = library{"basicauth", openOurs}
	others = []library{{"go-htpasswd", openGoHtpasswd}, {"go-http-auth", openGoHTTPAuth}}
	all    = append([]library{ours}, others...)
)

// open is for files that no library has anything against.
func open(lib library, path string) func(user, password string) bool {
	login, err := lib.open(path)
	check(err)
	return login
}

func openOurs(path string) (func(user, password string) bool, error) {
	a := &basicauth.Authenticator{Path: path, CacheTTL: time.Hour}
	return func(user, password string) bool {
		return a.Verify(context.Background(), user, password) == nil
	}, a.Reload(context.Background())
}

func openGoHtpasswd(path string) (func(user, password string) bool, error) {
	f, err := htpasswd.New(path, htpasswd.DefaultSystems, nil)
	if err != nil {
		return nil, err
	}
	return f.Match, nil
}

// openGoHTTPAuth takes the way of a request, as the library has no other.
func openGoHTTPAuth(path string) (func(user, password string) bool, error) {
	a := &auth.BasicAuth{Secrets: auth.HtpasswdFileProvider(path)}
	a.Secrets("", "") // reads the file
	return func(user, password string) bool {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		return a.CheckAuth(r) != ""
	}, nil
}
