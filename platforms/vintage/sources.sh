# sources.sh - unpack Debian source packages of the machine's own release: read by the recipes beside it.
#
# Nothing names a server: the mirror and the release are what apt is configured with.  apt checks every
# file against the signed Release file.  Its lists and packages stay in the working directory.

# Print "MIRROR RELEASE" of the Debian archive that apt knows, e.g. for a source line.
debian_archive() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' |
        sed -n '1p'
}

# unpack_sources DIRECTORY PACKAGE...: leaves DIRECTORY/<package>-<version>/.
unpack_sources() {
    directory=$1
    shift
    archive=$(debian_archive)
    if [ -z "$archive" ]; then
        echo "apt knows no Debian archive: run apt-get update first" >&2
        return 1
    fi
    mkdir -p "$directory/lists/partial" "$directory/cache/archives/partial"
    echo "deb-src $archive main" > "$directory/sources.list"
    for verb in update "source -q=2 $*"; do
        # Unquoted on purpose: the verb and its packages are words.
        (cd "$directory" && apt-get -q=2 -o "Dir::Etc::sourcelist=$directory/sources.list" -o Dir::Etc::sourceparts=- \
            -o "Dir::State::lists=$directory/lists" -o "Dir::Cache=$directory/cache" -o APT::Sandbox::User= \
            $verb) || return 1
    done
}
