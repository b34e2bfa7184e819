/** Parameters as the user set them, by name. */
export type ParamSettings = Readonly<Record<string, number | string | boolean>>;
