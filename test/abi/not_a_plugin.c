int plexus_has_never_heard_of_me(void);
__attribute__((visibility("default"))) int plexus_has_never_heard_of_me(void) {
    return 1;
}
