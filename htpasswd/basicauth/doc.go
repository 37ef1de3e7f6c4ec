// Package basicauth verifies user names and passwords against an htpasswd file,
// for servers that use HTTP Basic authentication (RFC 7617).
//
//	users := &basicauth.Authenticator{Path: "auth/registry.htpasswd"}
//	http.Handle("/", users.Middleware("registry")(handler))
//
// An [Authenticator] follows the file as it is edited, bounds the work that wrong
// passwords cause, can remember right ones, and does not reveal which users exist.
// Each of its fields documents its limits; the zero values are safe.
//
// The file is read as the registry reads it, see [htpasswd.Parse]: of several
// lines of one user the last one counts. A listed user cannot log in if the hash
// is broken, too expensive or of a scheme that is not accepted, or if
// [htpasswd.ValidateUser] refuses the name. A password that is empty, longer than
// 72 bytes or holds a NUL byte is refused: bcrypt cannot tell it from others.
//
// A server that writes its own answers uses [Authenticator.VerifyRequest],
// [Challenge] and [NewContext] instead of the middleware.
package basicauth
