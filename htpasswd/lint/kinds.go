package lint

// A Kind identifies what a finding is about. Its text never changes.
type Kind string

// The kinds of findings. The Message of a [Finding] tells what its kind means for the
// server. The last three are about the mode of a file: [CheckMode] returns them.
const (
	NoUsers          Kind = "no-users"                       // no line but empty ones, comments and disabled users
	NotHtpasswd      Kind = "not-htpasswd"                   // another kind of file: no line holds a hash
	UTF16            Kind = "utf-16"                         // the whole text is UTF-16
	MixedUTF16       Kind = "mixed-utf-16"                   // the text starts as UTF-16 and holds records in ASCII
	BOM              Kind = "byte-order-mark"                // a byte order mark before the name of the first user
	BOMBeforeComment Kind = "byte-order-mark-before-comment" // a byte order mark before a comment
	NoColon          Kind = "no-colon"                       // a line that is no entry
	LineTooLong      Kind = "line-too-long"                  // more bytes than the server reads
	LoneCR           Kind = "lone-cr"                        // a carriage return where a line should end
	GluedLines       Kind = "glued-lines"                    // an entry after the hash of another one
	IgnoredRecord    Kind = "ignored-record"                 // an entry that has no line of its own, and does not count
	BlankAroundLine  Kind = "blank-around-line"              // whitespace before a name
	BlankBeforeHash  Kind = "blank-before-hash"              // whitespace after the colon
	Backslash        Kind = "backslash-at-line-end"          // one at the end of a line, which Apache httpd joins with the next
	Unread           Kind = "unread-line"                    // an entry that the line before keeps from being read
	CommentedUser    Kind = "commented-out-user"             // a user in a comment, whom the server lets in
	EmptyName        Kind = "empty-name"                     // a colon without a name before it
	BadName          Kind = "bad-name"                       // a name that few clients can log in with
	MangledName      Kind = "mangled-name"                   // a name that docker and others change or misunderstand
	LongName         Kind = "long-name"                      // a name that is too long for Apache's htpasswd program
	NULInName        Kind = "nul-in-name"                    // a NUL byte in a name
	Twin             Kind = "similar-names"                  // two names that differ in case or Unicode normalisation
	DockerUser       Kind = "registry-made-user"             // the user that a registry creates if it finds no file
	Duplicate        Kind = "duplicate-user"                 // a line of a user for whom another line counts
	EmptyHash        Kind = "empty-hash"                     // a name with nothing after the colon
	UnknownHash      Kind = "unknown-hash"                   // a hash of no known scheme
	PlainText        Kind = "plain-text"                     // text that is no hash: perhaps the password
	ShellExpanded    Kind = "shell-expanded"                 // what a shell leaves of a bcrypt hash in double quotes
	DoubledDollars   Kind = "doubled-dollars"                // a bcrypt hash with $$ or \$, from a compose file or a script
	Quoted           Kind = "quoted-hash"                    // a bcrypt hash in quotes
	NotBcrypt        Kind = "not-bcrypt"                     // a hash of another scheme than the registry accepts
	InexactHash      Kind = "inexact-hash"                   // a hash that the server would write in another way, and so refuses
	MaybeDES         Kind = "maybe-des"                      // 13 characters that may be a hash or a password
	PlainHash        Kind = "plain-password"                 // {PLAIN}, and the password itself
	SSHAHash         Kind = "ssha-hash"                      // {SSHA}, which nginx accepts
	BrokenBcrypt     Kind = "broken-bcrypt"                  // bcrypt that is cut or damaged
	OddBcrypt        Kind = "odd-bcrypt"                     // bcrypt that only the registry accepts, such as $2$ or a cost of +5
	Prefix2b         Kind = "prefix-2b"                      // $2b$, which Apache httpd leaves to the system
	Prefix2x         Kind = "prefix-2x"                      // $2x$, which servers compute differently
	TextAfterHash    Kind = "text-after-hash"                // text that only the registry ignores
	ThirdField       Kind = "third-field"                    // a field after the hash
	LowCost          Kind = "low-cost"                       // a cost below 10
	HighCost         Kind = "high-cost"                      // a cost above 12
	NoNewline        Kind = "no-final-newline"               // a last line without a line ending
	OthersRead       Kind = "readable-by-others"             // a file that everyone can read
	OthersWrite      Kind = "writable-by-others"             // a file that everyone can write
	OwnerOnly        Kind = "readable-by-owner-only"         // a file that the server's workers cannot read
)

// An effect is what a kind of finding means for a server.
type effect struct {
	severity Severity
	does     string
}

type effects map[Server]effect

// at returns the same effect for several servers.
func at(s Severity, does string, servers ...Server) effects { return effects{}.at(s, does, servers...) }

// at sets the effect for further servers.
func (e effects) at(s Severity, does string, servers ...Server) effects {
	for _, server := range servers {
		e[server] = effect{s, does}
	}
	return e
}

// everywhere returns the same effect for every server.
func everywhere(s Severity, does string) effects { return at(s, does, Servers()...) }

// withCrypt returns the effect for the servers that leave most hashes to crypt(3).
func withCrypt(s Severity, does string) effects { return at(s, does, Nginx, Apache, Lighttpd) }

const (
	fixIt       = "the file can be fixed"
	newPassword = "set a new password"
	rename      = "rename the user"
	removeUser  = "remove the user"
	noPassword  = "no password matches"
)

// kinds describes each kind: what it is, what it means for which server, and what to do
// about it. For a server without an effect it is no finding.
var kinds = map[Kind]struct {
	what   string // with a verb of fmt for each detail
	at     effects
	hint   string
	remedy Remedy
}{
	NoUsers:     {"no users%s", everywhere(SeverityError, "the server lets nobody in"), "add a user, or enable one", RemedyNone},
	NotHtpasswd: {"no line holds a user and a hash", everywhere(SeverityError, "this is not an htpasswd file"), "check the name of the file", RemedyNone},
	UTF16: {"the file is UTF-16, as Windows PowerShell 5.1 writes it with > and Out-File",
		everywhere(SeverityError, "the server finds no user in it"), fixIt, RemedyFix},
	MixedUTF16: {"the file starts as UTF-16 and holds lines in ASCII, as if two programs had written it",
		everywhere(SeverityError, "the server cannot read the first part"), "write the file again, as UTF-8", RemedyNone},
	BOM: {"a byte order mark before the name", everywhere(SeverityError, "it is read as part of the name"), fixIt, RemedyFix},
	BOMBeforeComment: {"a byte order mark before a comment",
		everywhere(SeverityWarning, "the comment is read as a user"), fixIt, RemedyFix},
	NoColon: {"no colon in the line", effects{
		Registry: {SeverityError, "the registry answers 400 to everyone"},
		Nginx:    {SeverityWarning, "nginx skips it"},
		Apache:   {SeverityWarning, "Apache httpd skips it"},
		Lighttpd: {SeverityWarning, "lighttpd skips it"},
		Zot:      {SeverityWarning, "zot skips it"},
		Traefik:  {SeverityError, "Traefik refuses the whole file"},
	}, "make it a comment", RemedyFix},
	LineTooLong: {"the line is longer than %d bytes", effects{
		Registry: {SeverityError, "the registry answers 400 to everyone"},
		Apache:   {SeverityError, "Apache httpd reads neither it nor what follows"},
		Zot:      {SeverityError, "zot reads neither it nor what follows"},
	}, "make it a comment", RemedyFix},
	LoneCR:        {"a carriage return instead of a line ending before the name", everywhere(SeverityError, "the user is not found"), fixIt, RemedyFix},
	GluedLines:    {"no line ending before the name", everywhere(SeverityError, "the user is read as part of the record before"), fixIt, RemedyFix},
	IgnoredRecord: {"a record without a line of its own", everywhere(SeverityWarning, "it does not count"), "make it a comment", RemedyFix},
	BlankAroundLine: {"whitespace before the name",
		at(SeverityError, "it is read as part of the name", Nginx, Apache, Lighttpd, Zot), "remove it", RemedyNone},
	Backslash: {"a backslash at the end of the line", effects{
		Apache: {SeverityWarning, "Apache httpd reads the next line as a part of this one"},
	}, "remove it", RemedyNone},
	Unread: {"the server does not read this line", effects{
		Nginx:    {SeverityError, "it is read as part of the line before"},
		Apache:   {SeverityError, "it is read as part of the line before, or follows one that is too long"},
		Lighttpd: {SeverityError, "it has more than 1024 bytes, or a NUL byte is in it or before it"},
		Zot:      {SeverityError, "it follows one that is too long"},
	}, "correct it, or the line before", RemedyNone},
	CommentedUser: {"a user in a comment", effects{
		Zot: {SeverityError, "zot knows no comments, so anyone who has the password gets in by this name"},
	}, "remove the line; disable a user instead", RemedyNone},
	BlankBeforeHash: {"whitespace before the hash", everywhere(SeverityError, "it is read as part of the hash, so "+noPassword), fixIt, RemedyFix},
	EmptyName: {"no user name", everywhere(SeverityWarning, "anyone who has the password gets in without a name").
		at(SeverityError, "nginx lets nobody in without a name", Nginx), removeUser, RemedyRemove},
	BadName:     {"the name %s", everywhere(SeverityWarning, "few clients can log in with it"), rename, RemedyRename},
	MangledName: {"the name %s", everywhere(SeverityWarning, "some clients cannot log in with it"), rename, RemedyRename},
	LongName: {"the name has %d bytes", effects{
		Apache: {SeverityWarning, "Apache's htpasswd program refuses a file with such a name"},
	}, rename, RemedyRename},
	NULInName: {"a NUL byte in the name", effects{
		Apache: {SeverityError, "Apache httpd ends the line there"},
	}, removeUser, RemedyRemove},
	Twin: {"the name differs from that of user %s only in case or in Unicode normalisation",
		everywhere(SeverityWarning, "they are two users"), "remove one of them", RemedyRemove},
	DockerUser: {"the registry created this user when it found no file", effects{
		Registry: {SeverityWarning, "the password is in its log"},
	}, removeUser, RemedyRemove},
	Duplicate: {"the user is also on line %d", everywhere(SeverityWarning, "the last line counts, and this one does not").
		at(SeverityWarning, "the first line counts, and this one does not", Nginx, Apache, Lighttpd), "keep the last line", RemedyFix},
	EmptyHash:   {"no hash", everywhere(SeverityError, noPassword), newPassword, RemedyPassword},
	UnknownHash: {"no hash of a known scheme", everywhere(SeverityError, noPassword), newPassword, RemedyPassword},
	PlainText: {"text that is not a hash, perhaps the password itself",
		everywhere(SeverityError, noPassword+", and everyone who can read the file knows it"), newPassword, RemedyPassword},
	ShellExpanded: {"a part of a bcrypt hash, as a shell leaves it when the hash is in double quotes",
		everywhere(SeverityError, noPassword), newPassword, RemedyPassword},
	DoubledDollars: {"a bcrypt hash with escaped dollar signs, as in a compose file or a script",
		everywhere(SeverityError, noPassword), fixIt, RemedyFix},
	Quoted: {"a bcrypt hash in quotes", everywhere(SeverityError, noPassword), fixIt, RemedyFix},
	MaybeDES: {"13 characters that are a DES hash or a plain password",
		withCrypt(SeverityWarning, "they are taken for a hash"), newPassword, RemedyPassword},
	NotBcrypt: {"%s hash", effects{
		Registry: {SeverityError, "the registry accepts only bcrypt"},
		Zot:      {SeverityError, "zot accepts only bcrypt and SHA-crypt"},
		Traefik:  {SeverityError, "Traefik accepts only bcrypt, {SHA}, apr1 and MD5-crypt"},
	}, newPassword, RemedyPassword},
	InexactHash: {"%s hash with a salt, rounds or digest of an unusual form", withCrypt(SeverityError, noPassword).
		at(SeverityWarning, "zot may not accept it", Zot).at(SeverityWarning, "Traefik may not accept it", Traefik), newPassword, RemedyPassword},
	PlainHash: {"the password itself, not a hash", effects{
		Nginx:    {SeverityWarning, "nginx accepts it, and everyone who can read the file knows it"},
		Apache:   {SeverityError, "Apache httpd does not accept it"},
		Lighttpd: {SeverityError, "lighttpd does not accept it"},
	}, newPassword, RemedyPassword},
	SSHAHash: {"ssha hash", effects{
		Apache:   {SeverityError, "Apache httpd does not accept it"},
		Lighttpd: {SeverityError, "lighttpd does not accept it"},
	}, newPassword, RemedyPassword},
	BrokenBcrypt: {"a bcrypt hash that is truncated or damaged", everywhere(SeverityError, noPassword), newPassword, RemedyPassword},
	OddBcrypt: {"a bcrypt hash in an unusual form", effects{
		Registry: {SeverityWarning, "the registry accepts it, but other servers do not"},
		Nginx:    {SeverityError, "nginx does not accept it"},
		Apache:   {SeverityError, "Apache httpd does not accept it"},
		Lighttpd: {SeverityError, "lighttpd does not accept it"},
		Zot:      {SeverityError, "zot does not accept it"},
		Traefik:  {SeverityError, "Traefik does not accept it"},
	}, newPassword, RemedyPassword},
	Prefix2b: {"a bcrypt hash that begins with $2b$", effects{
		Apache: {SeverityWarning, "Apache httpd leaves it to the system's crypt, which may not accept it"},
	}, newPassword, RemedyPassword},
	Prefix2x: {"a bcrypt hash that begins with $2x$",
		withCrypt(SeverityWarning, "crypt(3) computes it with an old bug, so a password that is not ASCII may be refused").
			at(SeverityWarning, "the registry computes it as $2y$, so a password that is not ASCII may be refused", Registry).
			at(SeverityWarning, "Traefik computes it as $2y$, so a password that is not ASCII may be refused", Traefik), newPassword, RemedyPassword},
	TextAfterHash: {"text after the hash", withCrypt(SeverityError, "it is read as part of the hash, so "+noPassword).
		at(SeverityWarning, "the registry ignores it, but other servers do not", Registry).
		at(SeverityWarning, "zot ignores it, but other servers do not", Zot).
		at(SeverityWarning, "Traefik ignores it, but other servers do not", Traefik), newPassword, RemedyPassword},
	ThirdField: {"a third field after the hash", effects{
		Registry: {SeverityWarning, "it means nothing"},
		Zot:      {SeverityWarning, "it means nothing"},
		Traefik:  {SeverityError, "Traefik refuses the whole file"},
	}, "remove it", RemedyNone},
	LowCost:  {"the cost is %d, below 10", everywhere(SeverityWarning, "anyone who gets the file can try many passwords per second"), newPassword, RemedyPassword},
	HighCost: {"the cost is %d, above 12", everywhere(SeverityWarning, "each request takes a long time"), newPassword + " at a lower cost", RemedyPassword},
	NoNewline: {"no line ending at the end of the file",
		everywhere(SeverityWarning, "a line that another program appends would be joined to the last one"), fixIt, RemedyFix},
	OthersRead: {"everyone on this machine can read the file",
		everywhere(SeverityWarning, "they can try passwords against its hashes"), "chmod o-r", RemedyMode},
	OthersWrite: {"everyone on this machine can write the file",
		everywhere(SeverityWarning, "they can let themselves in"), "chmod o-w", RemedyMode},
	OwnerOnly: {"only root can read the file",
		withCrypt(SeverityError, "the server runs as another user and lets nobody in"), "chgrp the file to the group of the server, and chmod g+r", RemedyMode},
}
