# cmake -DIN=FILE -DOUT=FILE.c -DNAME=symbol -P embed.cmake: a file as a C array.
file(READ ${IN} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "/* Made from ${IN}. */
#include <stddef.h>
extern const unsigned char ${NAME}_text[];
extern const size_t ${NAME}_size;
const unsigned char ${NAME}_text[] = {${bytes}};
const size_t ${NAME}_size = sizeof ${NAME}_text;
")
